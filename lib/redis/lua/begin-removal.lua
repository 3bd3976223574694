#!lua flags=allow-oom
-- Mark a topic as being deleted. Its keys lie in other slots, so a deletion that is cut off must be found again.
-- Whoever finds its group gone learns from KEYS[3] that this was meant, and declare-topic which generation comes next.
--
-- KEYS[1]  HASH    meta: settings, generation, version of the settings
-- KEYS[2]  HASH    groups: consumer group -> mode and filter digest
-- KEYS[3]  STRING  deleted: generation of the last life that was deleted; expires
-- ARGV[1]  string  which: 'any', or 'begun' for one whose deletion was cut off, and no other
-- ARGV[2]  ms      for how long it is remembered
-- ARGV[3]  ms      test time, '' = TIME; not used
--
-- Returns  { 'removing', queues, born, group, ... }  what there is to delete
--          { 'unknown' }                             no such topic, or none that is being deleted; nothing changed
--
-- Invariant: from here on nobody finds the topic or joins a group in it.

local meta, groups, deleted = KEYS[1], KEYS[2], KEYS[3]

local queues, born, generation, removing = unpack(redis.call('HMGET', meta, 'queues', 'born', 'generation', 'removing'))
local names = redis.call('HKEYS', groups)
if not queues or (ARGV[1] == 'begun' and not removing) then return { 'unknown' } end
redis.call('HSET', meta, 'removing', '1')
redis.call('SET', deleted, generation, 'PX', ARGV[2])
local reply = { 'removing', queues, born }
for _, name in ipairs(names) do reply[#reply + 1] = name end
return reply
