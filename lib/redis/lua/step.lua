#!lua flags=allow-oom
-- Start and settle heads of lanes, for the owner of a queue: all steps or none.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  HASH    lease: owner, token, base, until, version, loaded, nudge, held
-- KEYS[3]  HASH    lanes: lane -> its head, once that was started
-- KEYS[4]  HASH    hold: lane -> state:offset of the first:messages:since
-- KEYS[5]  STREAM  dead: dead letters
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  owner
-- ARGV[3]  int     token
-- ARGV[4]  int     version
-- ARGV[5]  string  steps, a line feed after each: '<kind> <lane> <offset> <ms>'. Kinds: 'begin'; 'begin-alone' (nothing
--                  runs beside it); 'ack'; 'retry' (after ms, next text = history); 'postpone' (after ms, not an
--                  attempt); 'dead-letter' (next text = note)
-- ARGV[6]  int     lanes
-- ARGV[7+] string  names of the lanes, to which steps refer from 1; then the texts, in the order of the steps
-- ARGV[last] ms    test time, '' = TIME
--
-- Returns  { 'done', version, nudge }
--          { 'refused', step, 'order' or 'gone' }  steps from 0; nothing changed
--          { 'fenced' }  not the owner; nothing changed
--          { 'gap' }     another version; nothing changed
--
-- Invariant: a lane has one head, and the next one starts after it was settled. What a lane holds comes behind its
-- deliveries before `first` and in front of all others.

local log, lease, lanes, hold, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, test_time = ARGV[1], ARGV[#ARGV]
local MOST = 1000

local facts = redis.call('HMGET', lease, 'owner', 'token', 'version', 'base', 'nudge')
if facts[1] ~= ARGV[2] or facts[2] ~= ARGV[3] then return { 'fenced' } end
if facts[3] ~= ARGV[4] then return { 'gap' } end
local now = now_ms(test_time)
redis.call('XLEN', dead)

local last_name = 6 + tonumber(ARGV[6])
local records, holds = {}, {}
local holds_any = redis.call('HLEN', hold) > 0
for from = 7, last_name, MOST do
  local some = { unpack(ARGV, from, math.min(from + MOST - 1, last_name)) }
  for n, record in ipairs(redis.call('HMGET', lanes, unpack(some))) do records[some[n]] = record end
  if holds_any then
    for n, held in ipairs(redis.call('HMGET', hold, unpack(some))) do holds[some[n]] = read_hold(held) end
  end
end

-- What is to be begun comes last, and mostly nothing else stands between its offsets: then one question tells of all.
-- What that does not show is asked for by itself.
local steps, pending = ARGV[5], {}
local first, last = string.match(steps, 'begin%S* %d+ (%S+)'), string.match(steps, 'begin%S* %d+ (%S+) %d*\n$')
if first and last then
  for _, held in ipairs(redis.call('XPENDING', log, group, first, last, ARGV[6])) do pending[held[1]] = true end
end
local function is_pending(offset)
  return pending[offset] or #redis.call('XPENDING', log, group, offset, offset, 1) > 0
end

-- What the steps leave behind, before any of it is written.
local done, letters, step, text_at = {}, {}, 0, last_name
for kind, number, offset, ms in string.gmatch(steps, '(%S+) (%d+) (%S+) (%d*)\n') do
  local lane = ARGV[6 + tonumber(number)]
  local record, held, wrong = records[lane], holds[lane], nil
  if record == '' then record = false end
  if record and not is_head(record, offset) then wrong = 'order' end
  if held and (held.state == 'parked' or not is_before(offset, held.first)) then wrong = 'order' end
  if not wrong and kind ~= 'ack' and not is_pending(offset) then wrong = 'gone' end
  if wrong then return { 'refused', whole(step), wrong } end
  step = step + 1
  if kind == 'ack' then
    records[lane], done[#done + 1] = '', offset
  elseif kind == 'begin' and not record then
    records[lane] = first_start(offset, facts[2])
  else
    local text
    if kind == 'retry' or kind == 'dead-letter' then
      text_at = text_at + 1
      text = ARGV[text_at]
    end
    local moved = move_head(read_head(record, facts[4]), kind, { offset = offset, ms = ms, text = text }, facts[2], now)
    records[lane] = moved and write_head(moved) or ''
    if not moved then done[#done + 1] = offset end
    if kind == 'dead-letter' then letters[#letters + 1] = { offset = offset, note = text } end
  end
end

for _, letter in ipairs(letters) do
  local entry = redis.call('XRANGE', log, letter.offset, letter.offset)[1]
  local fields = storable(entry and entry[2] or {})
  redis.call('XADD', dead, next_id(dead, test_time), 'n', letter.note, 'f', letter.offset, unpack(fields))
end
local set, gone = {}, {}
for lane, record in pairs(records) do
  if record == '' then
    gone[#gone + 1] = lane
  elseif record then
    set[#set + 1] = lane
    set[#set + 1] = record
  end
end
local function in_parts(list, command, ...)
  for from = 1, #list, MOST do
    local call = { command, ... }
    for i = from, math.min(from + MOST - 1, #list) do call[#call + 1] = list[i] end
    redis.call(unpack(call))
  end
end
in_parts(done, 'XACK', log, group)
in_parts(set, 'HSET', lanes)
in_parts(gone, 'HDEL', lanes)
local version = whole(tonumber(facts[3]) + 1)
redis.call('HSET', lease, 'version', version)
return { 'done', version, facts[5] or '0' }
