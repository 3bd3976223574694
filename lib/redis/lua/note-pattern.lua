#!lua
-- Note that a consumer group takes whatever topics fit a pattern.
--
-- KEYS[1]  HASH    patterns: consumer group and pattern -> when it was first noted (Unix ms)
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  pattern
-- ARGV[3]  ms      test time, '' = TIME
--
-- Returns  { since }  Unix ms; 0 once the clock was set back behind it: what is sent now would be taken for older
--
-- Invariant: the first time stays, so that a topic made since is read from its start, whoever was running then.

local patterns = KEYS[1]
local field = ARGV[1] .. ' ' .. ARGV[2]

local since, now = redis.call('HGET', patterns, field), now_ms(ARGV[3])
if not since or tonumber(since) > now then
  since = since and '0' or whole(now)
  redis.call('HSET', patterns, field, since)
end
return { since }
