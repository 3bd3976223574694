#!lua flags=allow-oom
-- Taken work is done until a time, or for good.
--
-- KEYS[1]  ZSET    agenda: work by the time it is due (Unix ms)
-- KEYS[2]  HASH    versions: work -> number of its latest note
-- ARGV[1]  string  work
-- ARGV[2]  string  version it was taken with
-- ARGV[3]  string  when it is due again (Unix ms), '' = there is no more
-- ARGV[4]  ms      test time, '' = TIME
--
-- Returns  { 'finished' }  due at that time, or gone
--          { 'noted' }     somebody noted work since it was taken: it is due at once
--
-- Invariant: work noted while it was taken is not slept over.

local agenda, versions = KEYS[1], KEYS[2]
local work, version, next_at = ARGV[1], ARGV[2], ARGV[3]

local now = now_ms(ARGV[4])
local current = redis.call('HGET', versions, work)
redis.call('ZCARD', agenda)
if (current or '0') ~= version then
  -- Finished by another taker meanwhile, and no word of more work: nothing to wake up for.
  if not current and next_at == '' then return { 'finished' } end
  redis.call('ZADD', agenda, 'LT', whole(now), work)
  return { 'noted' }
end
if next_at == '' then
  redis.call('ZREM', agenda, work)
  redis.call('HDEL', versions, work)
else
  redis.call('ZADD', agenda, next_at, work)
end
return { 'finished' }
