#!lua flags=no-writes
-- A scheduled message and when it becomes visible.
--
-- KEYS[1]  HASH    scheduled: message id -> frame
-- KEYS[2]  ZSET    due: message id by when it becomes visible (Unix ms)
-- ARGV[1]  bytes   message id
-- ARGV[2]  ms      test time, '' = TIME; not used
--
-- Returns  { frame, due }  Unix ms
--          { }             not scheduled here (any more)
--
-- Invariant: frame and time belong together.

local scheduled, due = KEYS[1], KEYS[2]
local id = ARGV[1]

local frame, visible_at = redis.call('HGET', scheduled, id), redis.call('ZSCORE', due, id)
if not frame or not visible_at then return {} end
return { frame, visible_at }
