#!lua flags=allow-oom
-- Move deliveries of one lane out of the pending list, to where they are in nobody's way; park the lane if told to.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- KEYS[3]  HASH    lanes: lane -> its head, once that was started
-- KEYS[4]  HASH    hold: lane -> state:offset of the first:messages:since
-- KEYS[5]  HASH    parked: lane -> note
-- KEYS[6]  LIST    held: messages of one lane: offset, space, packed fields
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  owner
-- ARGV[3]  int     token
-- ARGV[4]  int     version
-- ARGV[5]  string  lane
-- ARGV[6]  string  offsets in their order, a space between; 1000 at most
-- ARGV[7]  string  'front': all its deliveries, from the head on, which then waits for the operator; 'back': newer ones
-- ARGV[8]  string  note, why it is parked
-- ARGV[9]  ms      test time, '' = TIME
--
-- Returns  { 'done', version, nudge }
--          { 'refused', place, 'order' or 'gone' }  place of the offset, from 0; nothing changed
--          { 'fenced' }  not the owner; nothing changed
--          { 'gap' }     another version; nothing changed
--
-- Invariant: a message is pending or held, never both, never neither; what is held stands in its order.

local log, lease, lanes, hold, parked, held = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local group, lane, parks = ARGV[1], ARGV[5], ARGV[7] == 'front'

local facts = redis.call('HMGET', lease, 'owner', 'token', 'version', 'base', 'nudge', 'held')
if facts[1] ~= ARGV[2] or facts[2] ~= ARGV[3] then return { 'fenced' } end
if facts[3] ~= ARGV[4] then return { 'gap' } end
local now = now_ms(ARGV[9])
local head = read_head(redis.call('HGET', lanes, lane), facts[4])
local state = read_hold(redis.call('HGET', hold, lane))
redis.call('HLEN', parked)
redis.call('LLEN', held)

local offsets = {}
for offset in string.gmatch(ARGV[6], '%S+') do
  local is_first, wrong = parks and #offsets == 0, nil
  if head and is_first ~= (offset == head.offset) then wrong = 'order' end
  if not wrong and #redis.call('XPENDING', log, group, offset, offset, 1) == 0 then wrong = 'gone' end
  if wrong then return { 'refused', whole(#offsets), wrong } end
  offsets[#offsets + 1] = offset
end

-- A list that nobody knows of, since the note of it was deleted, is no part of this lane.
if not state then redis.call('UNLINK', held) end
if parks then
  for i = #offsets, 1, -1 do redis.call('LPUSH', held, held_element(log, offsets[i])) end
  redis.call('HSET', parked, lane, ARGV[8])
  redis.call('HDEL', lanes, lane)
else
  for _, offset in ipairs(offsets) do redis.call('RPUSH', held, held_element(log, offset)) end
end
redis.call('XACK', log, group, unpack(offsets))
redis.call('HSET', hold, lane, write_hold({
  state = parks and 'parked' or state and state.state or 'open',
  first = not parks and state and state.first or offsets[1],
  messages = (state and state.messages or 0) + #offsets,
  since = not parks and state and state.since or whole(now),
}))
local version = whole(tonumber(facts[3]) + 1)
redis.call('HSET', lease, 'version', version, 'held', whole(tonumber(facts[6] or 0) + #offsets))
return { 'done', version, facts[5] or '0' }
