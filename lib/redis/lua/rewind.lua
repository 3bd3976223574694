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
-- first time, and none before it. Dead letters stay.

local meta, log = KEYS[1], KEYS[2]
local group, to = ARGV[1], ARGV[2]

redis.call('HEXISTS', meta, 'generation')
redis.call('ZCARD', KEYS[3])
redis.call('ZCARD', KEYS[4])
redis.call('HLEN', KEYS[5])
local found = false
if redis.call('EXISTS', log) == 1 then
  for _, listed in ipairs(redis.call('XINFO', 'GROUPS', log)) do
    for i = 1, #listed, 2 do
      if listed[i] == 'name' and listed[i + 1] == group then found = true end
    end
  end
end
if not found then return { 'no-group' } end
if to == 'latest' then
  local info = redis.call('XINFO', 'STREAM', log)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then to = info[i + 1] end
  end
end

redis.call('XGROUP', 'DESTROY', log, group)
redis.call('XGROUP', 'CREATE', log, group, to)
redis.call('HSET', meta, 'start:' .. group, to)
redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[5])
return { 'moved' }
