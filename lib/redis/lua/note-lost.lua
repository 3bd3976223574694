#!lua flags=allow-oom
-- Note which consumer groups were lost with a queue that was opened anew.
--
-- KEYS[1]  HASH    meta: born; start:<group> -> where a group began; lost:<group>; unnoted, until this is done
-- ARGV[1]  string  name for the life of the topic
-- ARGV[2+] string  groups
-- ARGV[last] ms    test time, '' = TIME; not used
--
-- Returns  { 'noted' }
--          { 'other-life' }  the topic is gone, or was made anew meanwhile; nothing changed
--
-- Invariant: a group that is there is not called lost.

local meta = KEYS[1]

if redis.call('HGET', meta, 'born') ~= ARGV[1] then return { 'other-life' } end
for i = 2, #ARGV - 1 do
  if redis.call('HEXISTS', meta, 'start:' .. ARGV[i]) == 0 then redis.call('HSET', meta, 'lost:' .. ARGV[i], '1') end
end
redis.call('HDEL', meta, 'unnoted')
return { 'noted' }
