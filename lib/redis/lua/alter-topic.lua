#!lua flags=allow-oom
-- Change settings of a topic.
--
-- KEYS[1]  HASH    meta: settings, generation, version of the settings
-- ARGV[1]  string  retention in ms, '-' to keep it
-- ARGV[2]  string  most messages per queue, '' for no limit, '-' to keep it
-- ARGV[3]  string  what a send does when there are as many, '-' to keep it
-- ARGV[4]  string  dedup window in ms, '-' to keep it
-- ARGV[5]  ms      test time, '' = TIME; not used
--
-- Returns  { 'altered', queues, retention, most, when full, window, generation, born, version }  as they are now
--          { 'unknown' }  no such topic; nothing changed
--
-- Invariant: the version grows with each change, so that a queue never goes back to older settings.

local meta = KEYS[1]

local facts = redis.call('HMGET', meta, 'generation', 'removing')
if not facts[1] or facts[2] then return { 'unknown' } end
for i, field in ipairs({ 'retentionMs', 'maxLength', 'whenFull', 'dedupWindowMs' }) do
  if ARGV[i] ~= '-' then redis.call('HSET', meta, field, ARGV[i]) end
end
redis.call('HINCRBY', meta, 'version', 1)
facts = redis.call('HMGET', meta, 'queues', 'retentionMs', 'maxLength', 'whenFull', 'dedupWindowMs', 'generation', 'born',
  'version')
return { 'altered', unpack(facts) }
