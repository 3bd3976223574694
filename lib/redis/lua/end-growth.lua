#!lua flags=allow-oom
-- Every queue of a topic that grew is open.
--
-- KEYS[1]  HASH    meta: settings, generation, version of the settings; grewFrom: queues before the growth under way
-- ARGV[1]  string  generation that is open
-- ARGV[2]  ms      test time, '' = TIME; not used
--
-- Returns  { 'ended' }  nothing of this growth is left to do
--
-- Invariant: whoever is late ends no other growth than the one it knows.

if redis.call('HGET', KEYS[1], 'generation') == ARGV[1] then redis.call('HDEL', KEYS[1], 'grewFrom') end
return { 'ended' }
