#!lua
-- Register a topic with its settings, unless it is there.
--
-- KEYS[1]  HASH    meta: settings, generation, version of the settings; grewFrom: queues before the growth under way
-- KEYS[2]  STRING  deleted: generation of the last life that was deleted; expires
-- ARGV[1]  int     queues
-- ARGV[2]  ms      retention
-- ARGV[3]  string  most messages per queue, '' for no limit
-- ARGV[4]  string  what a send does when there are as many: 'reject', 'drop-oldest' or 'wait'
-- ARGV[5]  ms      dedup window
-- ARGV[6]  string  name for this life of the topic, never used before
-- ARGV[7]  ms      test time, '' = TIME
--
-- Returns  { 'declared', queues, retention, most, when full, window, generation, born, version, grew from }  as they are now
--          { 'removing' }  the topic is being deleted; nothing changed
--
-- Invariant: what exists keeps its settings. A topic that is declared again after its removal has another generation,
-- so that no producer goes on with the queues it knew; a later one than `deleted` remembers, wherever the clock went.

local meta, deleted = KEYS[1], KEYS[2]

local now = now_ms(ARGV[7])
if redis.call('HEXISTS', meta, 'removing') == 1 then return { 'removing' } end
if redis.call('HEXISTS', meta, 'generation') == 0 then
  local before = tonumber(redis.call('GET', deleted) or 0) or 0
  redis.call('HSET', meta, 'queues', ARGV[1], 'retentionMs', ARGV[2], 'maxLength', ARGV[3], 'whenFull', ARGV[4],
    'dedupWindowMs', ARGV[5], 'generation', whole(math.max(now, before + 1)), 'born', ARGV[6], 'version', '1')
end
local facts = redis.call('HMGET', meta, 'queues', 'retentionMs', 'maxLength', 'whenFull', 'dedupWindowMs', 'generation',
  'born', 'version', 'grewFrom')
return { 'declared', unpack(facts) }
