#!lua
-- Move a consumer group to another place in one queue.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; start:<group> -> where the group first began
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  ZSET    retry: offset by when it is visible again (Unix ms)
-- KEYS[4]  ZSET    suspects: likewise, what was in hand when a consumer died
-- KEYS[5]  HASH    attempts: offset -> starts:cuts:solo:history
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  offset behind which it goes on, or 'latest'
-- ARGV[3]  ms      test time, '' = TIME; not used
--
-- Returns  { 'moved' }
--          { 'no-group' }  nothing changed
--
-- Invariant: what was in hand or waited is forgotten, so that every message behind the place is handed out as if for the
-- first time, and none before it. Dead letters stay, and whoever was in the group is still listed in it.

local meta, log = KEYS[1], KEYS[2]
local group, to = ARGV[1], ARGV[2]

redis.call('HEXISTS', meta, 'generation')
redis.call('ZCARD', KEYS[3])
redis.call('ZCARD', KEYS[4])
redis.call('HLEN', KEYS[5])
if not group_facts(log, group) then return { 'no-group' } end
if to == 'latest' then to = named(redis.call('XINFO', 'STREAM', log))['last-generated-id'] end

local members = redis.call('XINFO', 'CONSUMERS', log, group)
redis.call('XGROUP', 'DESTROY', log, group)
redis.call('XGROUP', 'CREATE', log, group, to)
for _, member in ipairs(members) do redis.call('XGROUP', 'CREATECONSUMER', log, group, named(member).name) end
redis.call('HSET', meta, 'start:' .. group, to)
redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[5])
return { 'moved' }
