#!lua flags=allow-oom
-- Register a consumer group of a topic, unless it is registered with other facts.
--
-- KEYS[1]  HASH    meta: settings, generation, version of the settings; order:<group> -> what an ordered group keeps in order
-- KEYS[2]  HASH    groups: consumer group -> mode and filter digest
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  mode
-- ARGV[3]  string  filter digest
-- ARGV[4]  string  'allow-filter-change' or 'strict'
-- ARGV[5]  string  what an ordered group keeps in order: 'message-group' or 'queue'; '' when it is not ordered
-- ARGV[6]  ms      test time, '' = TIME; not used
--
-- Returns  { 'joined', 'new' or 'known', queues }
--          { 'conflict', mode, digest, order }  registered with these; nothing changed
--          { 'unknown' }                        no such topic; nothing changed
--
-- Invariant: all members of a group agree on mode, filter and what is kept in order.

local meta, groups = KEYS[1], KEYS[2]
local group, mode, digest, strictness, order = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local field = 'order:' .. group

local facts = redis.call('HMGET', meta, 'queues', 'removing', field)
local registered = redis.call('HGET', groups, group)
if not facts[1] or facts[2] then return { 'unknown' } end
if registered then
  local its_mode, its_digest = string.match(registered, '^(%S+) (.*)$')
  local its_order = facts[3] or order
  if its_mode ~= mode or its_order ~= order or (its_digest ~= digest and strictness ~= 'allow-filter-change') then
    return { 'conflict', its_mode, its_digest, its_order }
  end
end
redis.call('HSET', groups, group, mode .. ' ' .. digest)
if order ~= '' then redis.call('HSET', meta, field, order) end
return { 'joined', registered and 'known' or 'new', facts[1] }
