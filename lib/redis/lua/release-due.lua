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
-- Invariant: a scheduled message is appended once. Refused as a whole when memory is short: nothing moves then. What waits
-- without a note of its time, since somebody deleted that key, is due; of more than 500 that wait, a call looks at any 500,
-- and as long as some have no note the next one falls due within a second.

local log, scheduled, due = KEYS[1], KEYS[2], KEYS[3]
local test_time = ARGV[2]

local now = now_ms(test_time)
local AT_ONCE, LOOK_AGAIN_MS = 500, 1000
local limit = math.min(tonumber(ARGV[1]), AT_ONCE)
local ids = redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, limit)
if #ids < limit and redis.call('HLEN', scheduled) > redis.call('ZCARD', due) then
  local some = redis.call('HRANDFIELD', scheduled, AT_ONCE)
  for i, score in ipairs(redis.call('ZMSCORE', due, unpack(some))) do
    if not score and #ids < limit then ids[#ids + 1] = some[i] end
  end
end
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
local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
if redis.call('HLEN', scheduled) > redis.call('ZCARD', due) then
  first = whole(first and math.min(tonumber(first), now + LOOK_AGAIN_MS) or now)
end
return { whole(released), first or '', whole(now) }
