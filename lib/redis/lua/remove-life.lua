#!lua flags=allow-oom
-- Delete keys of one life of a topic: of one of its queues, or of its registration.
--
-- KEYS[1]  HASH    meta: settings and generation; born: name for this life of the topic
-- KEYS[2+] any     what goes with it
-- ARGV[1]  string  name for the life that ends
-- ARGV[2]  ms      test time, '' = TIME; not used
--
-- Returns  { 'removed' }     nothing of it is left
--          { 'other-life' }  the topic was made anew meanwhile, by somebody who removed the old one first; nothing changed
--
-- Invariant: a removal that is slow, or was cut off and is repeated, takes nothing of a topic made after it.

local born = redis.call('HGET', KEYS[1], 'born')
if born and born ~= ARGV[1] then return { 'other-life' } end
for i = 1, #KEYS, 1000 do redis.call('UNLINK', unpack(KEYS, i, math.min(i + 999, #KEYS))) end
return { 'removed' }
