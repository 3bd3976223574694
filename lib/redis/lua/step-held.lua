#!lua flags=allow-oom
-- Start and settle what a lane holds, for the owner of a queue: all steps or none.
--
-- KEYS[1]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- KEYS[2]  HASH    lanes: lane -> its head, once that was started
-- KEYS[3]  HASH    hold: lane -> state:offset of the first:messages:since
-- KEYS[4]  HASH    parked: lane -> note
-- KEYS[5]  LIST    held: messages of one lane: offset, space, packed fields
-- KEYS[6]  STREAM  dead: dead letters
-- ARGV[1]  string  owner
-- ARGV[2]  int     token
-- ARGV[3]  int     version
-- ARGV[4]  string  lane
-- ARGV[5+] string  four per step: kind, offset, ms, text. Kinds: as those of step.lua, and 'park' (text = note)
-- ARGV[last] ms    test time, '' = TIME
--
-- Returns  { 'done', version, nudge }
--          { 'refused', step, 'order' or 'gone' }  steps from 0; nothing changed
--          { 'fenced' }  not the owner; nothing changed
--          { 'gap' }     another version; nothing changed
--
-- Invariant: only the first of what an open lane holds is started or settled. A lane that holds nothing any more is
-- like any other.

local lease, lanes, hold, parked, held, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local lane, test_time = ARGV[4], ARGV[#ARGV]
local EACH = 4

local facts = redis.call('HMGET', lease, 'owner', 'token', 'version', 'base', 'nudge', 'held')
if facts[1] ~= ARGV[1] or facts[2] ~= ARGV[2] then return { 'fenced' } end
if facts[3] ~= ARGV[3] then return { 'gap' } end
local now = now_ms(test_time)
local record, state = redis.call('HGET', lanes, lane), read_hold(redis.call('HGET', hold, lane))
redis.call('HLEN', parked)
redis.call('XLEN', dead)

local removed, letters, note = 0, {}, nil
for i = 5, #ARGV - EACH, EACH do
  local kind, offset = ARGV[i], ARGV[i + 1]
  local head, wrong = read_head(record, facts[4]), nil
  local element = redis.call('LINDEX', held, removed)
  if not state or state.state == 'parked' or note or (head and head.offset ~= offset) then wrong = 'order' end
  if not wrong and (not element or read_element(element) ~= offset) then wrong = 'gone' end
  if wrong then return { 'refused', whole((i - 5) / EACH), wrong } end
  local moved = move_head(head, kind, { offset = offset, ms = ARGV[i + 2], text = ARGV[i + 3] }, facts[2], now)
  record = moved and write_head(moved) or ''
  if kind == 'park' then
    note = ARGV[i + 3]
  elseif not moved then
    removed = removed + 1
    if kind == 'dead-letter' then letters[#letters + 1] = { ARGV[i + 3], element } end
  end
end

for _, letter in ipairs(letters) do
  local offset, fields = read_element(letter[2])
  redis.call('XADD', dead, next_id(dead, test_time), 'n', letter[1], 'f', offset, unpack(storable(fields)))
end
if removed > 0 then redis.call('LPOP', held, removed) end
if record == '' then redis.call('HDEL', lanes, lane) else redis.call('HSET', lanes, lane, record) end
state.messages = state.messages - removed
if note then
  state.state, state.since = 'parked', whole(now)
  redis.call('HSET', parked, lane, note)
end
if state.messages == 0 then redis.call('HDEL', hold, lane) else redis.call('HSET', hold, lane, write_hold(state)) end
local version = whole(tonumber(facts[3]) + 1)
redis.call('HSET', lease, 'version', version, 'held', whole(tonumber(facts[6] or 0) - removed))
return { 'done', version, facts[5] or '0' }
