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
-- ARGV[5+] string  five per step: kind, lane, offset, ms, text. Kinds: 'begin' (text '1': nothing runs beside it),
--                  'ack', 'retry' (after ms, text = history), 'postpone' (after ms, not an attempt), 'dead-letter'
--                  (text = note)
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
local EACH, MOST = 5, 1000

local facts = redis.call('HMGET', lease, 'owner', 'token', 'version', 'base', 'nudge')
if facts[1] ~= ARGV[2] or facts[2] ~= ARGV[3] then return { 'fenced' } end
if facts[3] ~= ARGV[4] then return { 'gap' } end
local now = now_ms(test_time)
redis.call('XLEN', dead)

local names, records, holds = {}, {}, {}
for i = 6, #ARGV - 1, EACH do names[#names + 1] = ARGV[i] end
local holds_any = redis.call('HLEN', hold) > 0
for from = 1, #names, MOST do
  local some = { unpack(names, from, math.min(from + MOST - 1, #names)) }
  for n, record in ipairs(redis.call('HMGET', lanes, unpack(some))) do records[some[n]] = record end
  if holds_any then
    for n, held in ipairs(redis.call('HMGET', hold, unpack(some))) do holds[some[n]] = read_hold(held) end
  end
end

-- What the steps leave behind, before any of it is written.
local done, letters = {}, {}
for i = 5, #ARGV - EACH, EACH do
  local kind, lane, offset = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local head, held, wrong = read_head(records[lane], facts[4]), holds[lane], nil
  if head and head.offset ~= offset then wrong = 'order' end
  if held and (held.state == 'parked' or not is_before(offset, held.first)) then wrong = 'order' end
  if not wrong and kind ~= 'ack' and #redis.call('XPENDING', log, group, offset, offset, 1) == 0 then wrong = 'gone' end
  if wrong then return { 'refused', whole((i - 5) / EACH), wrong } end
  local moved = move_head(head, kind, { offset = offset, ms = ARGV[i + 3], text = ARGV[i + 4] }, facts[2], now)
  records[lane] = moved and write_head(moved) or ''
  if not moved then done[#done + 1] = offset end
  if kind == 'dead-letter' then letters[#letters + 1] = i end
end

for _, i in ipairs(letters) do
  local entry = redis.call('XRANGE', log, ARGV[i + 2], ARGV[i + 2])[1]
  local fields = storable(entry and entry[2] or {})
  redis.call('XADD', dead, next_id(dead, test_time), 'n', ARGV[i + 4], 'f', ARGV[i + 2], unpack(fields))
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
