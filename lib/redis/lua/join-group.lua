#!lua flags=allow-oom
-- Register a consumer group of a topic, unless it is registered with other facts.
--
-- KEYS[1]  HASH    meta: settings, generation, version of the settings
-- KEYS[2]  HASH    groups: consumer group -> mode and filter digest
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  mode
-- ARGV[3]  string  filter digest
-- ARGV[4]  string  'allow-filter-change' or 'strict'
-- ARGV[5]  ms      test time, '' = TIME; not used
--
-- Returns  { 'joined', 'new' or 'known', queues }
--          { 'conflict', mode, digest }  registered with these; nothing changed
--          { 'unknown' }                 no such topic; nothing changed
--
-- Invariant: all members of a group agree on mode and filter.

local meta, groups = KEYS[1], KEYS[2]
local group, mode, digest, strictness = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local facts = redis.call('HMGET', meta, 'queues', 'removing')
local registered = redis.call('HGET', groups, group)
if not facts[1] or facts[2] then return { 'unknown' } end
if registered then
  local its_mode, its_digest = string.match(registered, '^(%S+) (.*)$')
  if its_mode ~= mode or (its_digest ~= digest and strictness ~= 'allow-filter-change') then
    return { 'conflict', its_mode, its_digest }
  end
end
redis.call('HSET', groups, group, mode .. ' ' .. digest)
return { 'joined', registered and 'known' or 'new', facts[1] }
