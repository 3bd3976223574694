#!lua flags=allow-oom
-- Make a queue of a topic ready, or bring its settings up to date.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue
-- ARGV[1]  string  generation of the topic
-- ARGV[2]  string  name for this life of the topic
-- ARGV[3]  int     version of the settings
-- ARGV[4]  ms      retention
-- ARGV[5]  string  most messages, '' for no limit
-- ARGV[6]  string  what a send does when there are as many: 'reject', 'drop-oldest' or 'wait'
-- ARGV[7]  ms      dedup window
-- ARGV[8]  ms      test time, '' = TIME; not used
--
-- Returns  { 'open' }     it has these settings now
--          { 'current' }  it has these or newer ones; nothing changed
--
-- Invariant: a queue never goes back to older settings.

local meta = KEYS[1]

local facts = redis.call('HMGET', meta, 'born', 'version')
if facts[1] == ARGV[2] and tonumber(facts[2]) >= tonumber(ARGV[3]) then return { 'current' } end
redis.call('HSET', meta, 'generation', ARGV[1], 'born', ARGV[2], 'version', ARGV[3], 'retentionMs', ARGV[4],
  'maxLength', ARGV[5], 'whenFull', ARGV[6], 'dedupWindowMs', ARGV[7])
return { 'open' }
