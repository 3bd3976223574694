#!lua flags=allow-oom
-- Note that there is work at a time.
--
-- KEYS[1]  ZSET    agenda: work by the time it is due (Unix ms)
-- KEYS[2]  HASH    versions: work -> number of its latest note
-- KEYS[3]  STRING  counter: the last number given to a note
-- ARGV[1]  string  work
-- ARGV[2]  ms      Unix ms
-- ARGV[3]  ms      test time, '' = TIME; not used
--
-- Returns  { 'noted' }
--
-- Invariant: an entry is never later than the earliest work noted for it.

local agenda, versions, counter = KEYS[1], KEYS[2], KEYS[3]
local work, at = ARGV[1], ARGV[2]

redis.call('ZCARD', agenda)
redis.call('HLEN', versions)
redis.call('HSET', versions, work, redis.call('INCR', counter))
redis.call('ZADD', agenda, 'LT', at, work)
return { 'noted' }
