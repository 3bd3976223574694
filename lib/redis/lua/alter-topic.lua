#!lua flags=allow-oom
-- Change settings of a topic.
--
-- KEYS[1]  HASH    meta: settings, generation, version of the settings; grewFrom: queues before the growth under way
-- ARGV[1]  string  retention in ms, '-' to keep it
-- ARGV[2]  string  most messages per queue, '' for no limit, '-' to keep it
-- ARGV[3]  string  what a send does when there are as many, '-' to keep it
-- ARGV[4]  string  dedup window in ms, '-' to keep it
-- ARGV[5]  string  queues, '-' to keep them
-- ARGV[6]  ms      test time, '' = TIME
--
-- Returns  { 'altered', queues, retention, most, when full, window, generation, born, version, grew from }  as they are now
--          { 'unknown' }           no such topic; nothing changed
--          { 'growing' }           another growth is not complete yet; nothing changed
--          { 'refused', queues }   queues only become a multiple of what they are; nothing changed
--
-- Invariant: the version grows with each change, so that a queue never goes back to older settings, also when a change was
-- lost. More queues are a newer generation; those that were there keep their numbers.

local meta = KEYS[1]

local facts = redis.call('HMGET', meta, 'generation', 'removing', 'queues', 'grewFrom', 'version')
if not facts[1] or facts[2] then return { 'unknown' } end
local queues, wanted, now = tonumber(facts[3]), tonumber(ARGV[5]), now_ms(ARGV[6])
local grows = wanted and wanted ~= queues
if grows and (wanted < queues or wanted % queues ~= 0) then return { 'refused', facts[3] } end
if grows and facts[4] then return { 'growing' } end

for i, field in ipairs({ 'retentionMs', 'maxLength', 'whenFull', 'dedupWindowMs' }) do
  if ARGV[i] ~= '-' then redis.call('HSET', meta, field, ARGV[i]) end
end
if grows then
  local generation = whole(math.max(tonumber(facts[1]) + 1, now))
  redis.call('HSET', meta, 'queues', ARGV[5], 'generation', generation, 'grewFrom', facts[3])
end
-- By the clock: a change that a failover lost may have reached a queue, on another node, which takes newer ones only.
redis.call('HSET', meta, 'version', whole(math.max(tonumber(facts[5] or 0) + 1, now)))
facts = redis.call('HMGET', meta, 'queues', 'retentionMs', 'maxLength', 'whenFull', 'dedupWindowMs', 'generation', 'born',
  'version', 'grewFrom')
return { 'altered', unpack(facts) }
