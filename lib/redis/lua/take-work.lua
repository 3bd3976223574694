#!lua flags=allow-oom
-- Take work that is due, and hide it from others for a while.
--
-- KEYS[1]  ZSET    agenda: work by the time it is due (Unix ms)
-- KEYS[2]  HASH    versions: work -> number of its latest note
-- ARGV[1]  int     most entries; 100 at most
-- ARGV[2]  ms      how long they are hidden
-- ARGV[3]  ms      test time, '' = TIME
--
-- Returns  { now, next, work, version, work, version, ... }  next = when the next entry that was not taken falls due
--                                                            (Unix ms), '' when there is none
--
-- Invariant: an entry leaves the agenda by finish-work.lua only; a taker that died leaves it to the next one.

local agenda, versions = KEYS[1], KEYS[2]

local now = now_ms(ARGV[3])
local limit = math.min(tonumber(ARGV[1]), 100)
local hidden_until = whole(now + tonumber(ARGV[2]))
redis.call('HLEN', versions)
local first = redis.call('ZRANGE', agenda, 0, limit, 'WITHSCORES')
local reply = { whole(now), '' }
for i = 1, #first, 2 do
  local work, at = first[i], first[i + 1]
  if tonumber(at) > now or i > 2 * limit then
    reply[2] = at
    break
  end
  redis.call('ZADD', agenda, hidden_until, work)
  reply[#reply + 1] = work
  reply[#reply + 1] = redis.call('HGET', versions, work) or '0'
end
return reply
