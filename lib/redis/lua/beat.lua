#!lua flags=allow-oom
-- A member is alive; who else is?
--
-- KEYS[1]  ZSET    members: member by the time of its last beat (Unix ms)
-- ARGV[1]  string  member
-- ARGV[2]  ms      test time, '' = TIME
--
-- Returns  { now, member, beat, member, beat, ... }  at most 10 000 members, the longest silent first
--
-- Invariant: members that fell silent stay until they leave, so that somebody takes over what they held.

local members = KEYS[1]
local MOST = 10000

local now = now_ms(ARGV[2])
redis.call('ZADD', members, whole(now), ARGV[1])
local reply = { whole(now) }
for _, part in ipairs(redis.call('ZRANGE', members, 0, MOST - 1, 'WITHSCORES')) do reply[#reply + 1] = part end
return reply
