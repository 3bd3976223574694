#!lua flags=allow-oom
-- Drop a scheduled message.
--
-- KEYS[1]  HASH    scheduled: message id -> frame
-- KEYS[2]  ZSET    due: message id by when it becomes visible (Unix ms)
-- ARGV[1]  bytes   message id
-- ARGV[2]  ms      test time, '' = TIME; not used
--
-- Returns  { 'cancelled' }  it will not become visible
--          { 'unknown' }    not scheduled here (any more); nothing changed
--
-- Invariant: a message that was cancelled never becomes visible.

local scheduled, due = KEYS[1], KEYS[2]
local id = ARGV[1]

if not redis.call('ZSCORE', due, id) then return { 'unknown' } end
redis.call('HDEL', scheduled, id)
redis.call('ZREM', due, id)
return { 'cancelled' }
