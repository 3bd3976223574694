#!lua flags=allow-oom
-- Let a parked lane go on.
--
-- KEYS[1]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- KEYS[2]  HASH    hold: lane -> state:offset of the first:messages:since
-- KEYS[3]  HASH    parked: lane -> note
-- KEYS[4]  LIST    held: messages of one lane: offset, space, packed fields
-- KEYS[5]  STREAM  dead: dead letters
-- ARGV[1]  string  lane
-- ARGV[2]  string  'retry', 'dead-letter' or 'skip': what becomes of its head
-- ARGV[3]  string  note of the dead letter, where the lane has none
-- ARGV[4]  ms      test time, '' = TIME
--
-- Returns  { 'resumed' }     the owner is told with its next call
--          { 'not-parked' }  nothing changed
--
-- Invariant: a parked lane has no head that was started, so nobody else touches what it holds, and
-- its note is about the first of that.

local lease, hold, parked, held, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local lane, action, test_time = ARGV[1], ARGV[2], ARGV[4]

local state = read_hold(redis.call('HGET', hold, lane))
if not state or state.state ~= 'parked' then return { 'not-parked' } end
local facts = redis.call('HMGET', lease, 'nudge', 'held')
local element = redis.call('LINDEX', held, 0)
local why = redis.call('HGET', parked, lane)
redis.call('XLEN', dead)

state.state = 'open'
if element and action ~= 'retry' then
  if action == 'dead-letter' then
    local offset, fields = read_element(element)
    redis.call('XADD', dead, next_id(dead, test_time), 'n', why or ARGV[3], 'f', offset, unpack(storable(fields)))
  end
  redis.call('LPOP', held)
  state.messages = state.messages - 1
  facts[2] = whole(tonumber(facts[2] or 0) - 1)
end
redis.call('HDEL', parked, lane)
if state.messages == 0 then redis.call('HDEL', hold, lane) else redis.call('HSET', hold, lane, write_hold(state)) end
redis.call('HSET', lease, 'nudge', whole(tonumber(facts[1] or 0) + 1), 'held', facts[2] or '0')
return { 'resumed' }
