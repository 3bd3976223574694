#!lua
-- Append scheduled messages that are due to their queue, in order of due time.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  HASH    scheduled: message id -> frame
-- KEYS[3]  ZSET    due: message id by when it becomes visible (Unix ms)
-- ARGV[1]  int     most messages; 500 at most
-- ARGV[2]  ms      test time, '' = TIME
--
-- Returns  { released, next, now }  next = when the next one falls due (Unix ms), '' when none is left
--
-- Invariant: a scheduled message is appended once. Refused as a whole when memory is short: nothing moves then.

local log, scheduled, due = KEYS[1], KEYS[2], KEYS[3]
local test_time = ARGV[2]

local now = now_ms(test_time)
local limit = math.min(tonumber(ARGV[1]), 500)
local ids = redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, limit)
local released = 0
if #ids > 0 then
  local frames = redis.call('HMGET', scheduled, unpack(ids))
  redis.call('XLEN', log)
  for _, frame in ipairs(frames) do
    if frame then
      redis.call('XADD', log, next_id(log, test_time), 'rv', frame)
      released = released + 1
    end
  end
  redis.call('HDEL', scheduled, unpack(ids))
  redis.call('ZREM', due, unpack(ids))
end
return { whole(released), redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2] or '', whole(now) }
