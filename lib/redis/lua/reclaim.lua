#!lua flags=allow-oom
-- Take back what a dead consumer held, and forget the consumer once it holds nothing.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  ZSET    suspects: offset by when it is visible again, what was in hand when a consumer died
-- KEYS[3]  HASH    attempts: offset -> starts:cuts:solo:history; ~clock (steady.lua)
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  the dead consumer
-- ARGV[3]  int     most deliveries; 1000 at most
-- ARGV[4]  ms      test time, '' = TIME
--
-- Returns  { taken, left }  numbers
--
-- Invariant: deleting a consumer deletes its pending entries, so it happens only when there are none. A start that
-- was cut off does not count, unless the message ran alone: then it is the likely cause.

local log, suspects, attempts = KEYS[1], KEYS[2], KEYS[3]
local group, consumer = ARGV[1], ARGV[2]
local WAITING = '~waiting'

local limit = math.min(tonumber(ARGV[3]), 1000)
local held = redis.call('XPENDING', log, group, '-', '+', limit, consumer)
redis.call('ZCARD', suspects)
redis.call('HLEN', attempts)

local now = #held > 0 and whole(steady_ms(attempts, now_ms(ARGV[4]), true))
for _, pending in ipairs(held) do
  local offset = pending[1]
  local starts, cuts, solo, history = 1, 0, '0', ''
  local record = redis.call('HGET', attempts, offset)
  if record then starts, cuts, solo, history = string.match(record, '^(%d+):(%d+):(%d):(.*)$') end
  starts = tonumber(starts)
  if solo == '0' then starts = math.max(starts - 1, 0) end
  redis.call('HSET', attempts, offset, whole(starts) .. ':' .. whole(tonumber(cuts) + 1) .. ':0:' .. history)
  redis.call('ZADD', suspects, now, offset)
  redis.call('XCLAIM', log, group, WAITING, 0, offset, 'JUSTID')
end

local left = 0
for _, counted in ipairs(redis.call('XPENDING', log, group)[4] or {}) do
  if counted[1] == consumer then left = tonumber(counted[2]) end
end
if left == 0 then redis.call('XGROUP', 'DELCONSUMER', log, group, consumer) end
return { whole(#held), whole(left) }
