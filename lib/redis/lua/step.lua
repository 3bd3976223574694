#!lua flags=allow-oom
-- Start and settle heads of lanes, for the owner of a queue: all steps or none.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- KEYS[3]  HASH    lanes: lane -> its head, once that was started
-- KEYS[4]  HASH    hold: lane -> state:offset of the first:messages:since
-- KEYS[5]  STREAM  dead: dead letters
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  owner
-- ARGV[3]  int     token
-- ARGV[4]  int     version
-- ARGV[5]  string  steps, a line for neighbours that are alike: '<kind> <ms> <offset> <offset> ...'. Kinds: 'begin';
--                  'begin-alone' (nothing runs beside it); 'ack'; 'retry' (after ms, next text = history); 'postpone'
--                  (after ms, not an attempt); 'dead-letter' (next text = note)
-- ARGV[6]  int     how many steps
-- ARGV[7+] string  the lane of each step; then the texts, in the order of the steps
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
-- What a hash says of the lane of each step, before the first of them.
local function of_steps(hash)
  local found = redis.call('HMGET', hash, unpack(ARGV, 7, math.min(6 + MOST, last_name)))
  for from = 7 + MOST, last_name, MOST do
    local some = redis.call('HMGET', hash, unpack(ARGV, from, math.min(from + MOST - 1, last_name)))
    for n, value in ipairs(some) do found[from - 7 + n] = value end
  end
  return found
end
local records = of_steps(lanes)
local holds = redis.call('HLEN', hold) > 0 and of_steps(hold) or {}

-- Between neighbours that are begun mostly nothing else stands: then one question tells of all. What that does not show is
-- asked for by itself.
local pending = {}
local function look_up(first, last)
  if not last or is_before(last, first) then return end
  for _, held in ipairs(redis.call('XPENDING', log, group, first, last, ARGV[6])) do pending[held[1]] = true end
end
local function is_pending(offset)
  return pending[offset] or #redis.call('XPENDING', log, group, offset, offset, 1) > 0
end

local function refusal(kind, record, held, offset)
  if record and not is_head(record, offset) then return 'order' end
  if held and (held.state == 'parked' or not is_before(offset, held.first)) then return 'order' end
  if kind ~= 'ack' and not is_pending(offset) then return 'gone' end
end

-- What the steps leave behind, before any of it is written: heads that are set, and lanes without one.
local done, letters, set, step, text_at = {}, {}, {}, 0, last_name
local function moved(kind, record, offset, ms)
  local text
  if kind == 'retry' or kind == 'dead-letter' then
    text_at = text_at + 1
    text = ARGV[text_at]
  end
  if kind == 'dead-letter' then letters[#letters + 1] = { offset = offset, note = text } end
  local head = move_head(read_head(record, facts[4]), kind, { offset = offset, ms = ms, text = text }, facts[2], now)
  return head and write_head(head)
end
local began = first_start(facts[2])
for kind, ms, offsets in string.gmatch(ARGV[5], '(%S+) (%d*) ([^\n]+)\n') do
  if kind == 'begin' then look_up(string.match(offsets, '^(%S+).* (%S+)$')) end
  for offset in string.gmatch(offsets, '%S+') do
    step = step + 1
    local lane = ARGV[6 + step]
    local record = set[lane]
    if record == nil then record = records[step] end
    local held, usual = holds[step], offset .. began
    -- Most steps are not refused, which shows without a call.
    if held or (record and record ~= usual) or (kind ~= 'ack' and not pending[offset]) then
      local wrong = refusal(kind, record, held and read_hold(held), offset)
      if wrong then return { 'refused', whole(step - 1), wrong } end
    end
    if kind == 'begin' and not record then
      record = usual
    else
      record = kind ~= 'ack' and moved(kind, record, offset, ms)
    end
    set[lane] = record or false
    if not record then done[#done + 1] = offset end
  end
end

for _, letter in ipairs(letters) do
  local entry = redis.call('XRANGE', log, letter.offset, letter.offset)[1]
  local fields = storable(entry and entry[2] or {})
  redis.call('XADD', dead, next_id(dead, test_time), 'n', letter.note, 'f', letter.offset, unpack(fields))
end
local heads, gone = {}, {}
for lane, record in pairs(set) do
  if record then
    heads[#heads + 1] = lane
    heads[#heads + 1] = record
  else
    gone[#gone + 1] = lane
  end
end
local function in_parts(list, write)
  for from = 1, #list, MOST do write(unpack(list, from, math.min(from + MOST - 1, #list))) end
end
in_parts(done, function(...) redis.call('XACK', log, group, ...) end)
in_parts(heads, function(...) redis.call('HSET', lanes, ...) end)
in_parts(gone, function(...) redis.call('HDEL', lanes, ...) end)
local version = whole(tonumber(facts[3]) + 1)
redis.call('HSET', lease, 'version', version)
return { 'done', version, facts[5] or '0' }
