#!lua flags=allow-oom
-- Change when a scheduled message becomes visible.
--
-- KEYS[1]  ZSET    due: message id by when it becomes visible (Unix ms)
-- ARGV[1]  bytes   message id
-- ARGV[2]  string  '+<ms from now>' or '@<Unix ms>'
-- ARGV[3]  ms      test time, '' = TIME
--
-- Returns  { 'rescheduled' }
--          { 'unknown' }      not scheduled here (any more); nothing changed
--
-- Invariant: a message that was released does not become scheduled again.

local due = KEYS[1]
local id, when = ARGV[1], ARGV[2]

local now = now_ms(ARGV[3])
if not redis.call('ZSCORE', due, id) then return { 'unknown' } end
local visible_at = tonumber(string.sub(when, 2))
if string.sub(when, 1, 1) == '+' then visible_at = visible_at + now end
redis.call('ZADD', due, 'XX', whole(visible_at), id)
return { 'rescheduled' }
