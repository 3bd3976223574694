#!lua flags=allow-oom
-- Write something, for WAIT to speak of: behind it stands whatever was written before.
--
-- KEYS[1]  STRING  probe: nothing
-- ARGV[1]  ms      lifetime
-- ARGV[2]  ms      test time, '' = TIME; not used
--
-- Returns  { 'touched' }
--
-- Invariant: it is there for no longer than the lifetime.

redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return { 'touched' }
