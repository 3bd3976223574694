#!lua flags=allow-oom
-- Note that a topic is being deleted on purpose, for whoever finds its group gone.
--
-- KEYS[1]  HASH    deleted: topic -> generation of its last life
-- ARGV[1]  string  topic
-- ARGV[2]  int     generation of the life that ends
-- ARGV[3]  ms      for how long it is remembered
-- ARGV[4]  ms      test time, '' = TIME; not used
--
-- Returns  { 'noted' }
--
-- Invariant: it is never there without an end to its lifetime.

local deleted = KEYS[1]

redis.call('HSET', deleted, ARGV[1], ARGV[2])
redis.call('PEXPIRE', deleted, ARGV[3])
return { 'noted' }
