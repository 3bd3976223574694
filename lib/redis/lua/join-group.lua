#!lua flags=allow-oom
-- Register a consumer group of a topic, unless it is registered with other facts.
--
-- KEYS[1]  HASH    meta: settings, generation, version of the settings; order:<group> -> what an ordered group keeps in order
-- KEYS[2]  HASH    groups: consumer group -> mode and filter digest
-- KEYS[3]  HASH    seen: consumer group -> when it last had a member (Unix ms)
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  mode
-- ARGV[3]  string  filter digest
-- ARGV[4]  string  'allow-filter-change' or 'strict'
-- ARGV[5]  string  what an ordered group keeps in order: 'message-group' or 'queue'; '' when it is not ordered
-- ARGV[6]  ms      test time, '' = TIME
--
-- Returns  { 'joined', 'new' or 'known', queues }
--          { 'conflict', mode, digest, order }  registered with these; nothing changed
--          { 'unknown' }                        no such topic; nothing changed
--
-- Invariant: all members of a group agree on mode, filter and what is kept in order. Who joins has been seen, also a member
-- that is gone before the next look.

local meta, groups, seen = KEYS[1], KEYS[2], KEYS[3]
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
-- A key of another type here is no reason to refuse a member.
redis.pcall('HSET', seen, group, whole(now_ms(ARGV[6])))
if order ~= '' then redis.call('HSET', meta, field, order) end
return { 'joined', registered and 'known' or 'new', facts[1] }
