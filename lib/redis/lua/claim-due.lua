#!lua flags=allow-oom
-- Hand out waiting deliveries that are due.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  ZSET    retry: offset by when it is visible again (Unix ms)
-- KEYS[3]  ZSET    suspects: likewise, what was in hand when a consumer died
-- KEYS[4]  HASH    attempts: offset -> starts:cuts:solo:history; ~clock (steady.lua)
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  consumer
-- ARGV[3]  int     most deliveries; 100 at most
-- ARGV[4]  string  'suspect': one suspect among them, before the others; 'none': no suspect
-- ARGV[5]  ms      test time, '' = TIME
--
-- Returns  { now, next, entry, ... }  next = when the next one falls due (Unix ms, by a clock that stays), '' when none waits
--          entry = { offset, fields or '', delivery count, attempt, 'suspect' or 'retry', history }
--
-- Invariant: a start is recorded before the delivery is handed out. A message that was deleted meanwhile is handed
-- out once more, without fields and settled already, so that its loss is noticed. What waits without a note, since
-- somebody deleted both keys, is due. Nothing waits for longer because the clock was set back.

local log, retry, suspects, attempts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, consumer = ARGV[1], ARGV[2]
local WAITING = '~waiting'

redis.call('HLEN', attempts)
redis.call('XLEN', log)
local waiting = redis.call('ZCARD', retry) + redis.call('ZCARD', suspects)
local server_now = now_ms(ARGV[5])
local now = waiting > 0 and steady_ms(attempts, server_now) or server_now
local limit = math.min(tonumber(ARGV[3]), 100)
local wanted_suspects = ARGV[4] == 'suspect' and math.min(limit, 1) or 0
local due_suspects = redis.call('ZRANGEBYSCORE', suspects, '-inf', whole(now), 'LIMIT', 0, wanted_suspects)
local due_retries = redis.call('ZRANGEBYSCORE', retry, '-inf', whole(now), 'LIMIT', 0, limit - #due_suspects)
local forgotten = {}
if waiting == 0 then
  local pending = redis.pcall('XPENDING', log, group, '-', '+', limit, WAITING)
  if not pending.err then forgotten = pending end -- the group may be gone; whoever reads brings it back
end

local reply = { whole(server_now), '' }

local function hand_out(zset, offset, kind)
  local pending = redis.call('XPENDING', log, group, offset, offset, 1)[1]
  local record = redis.call('HGET', attempts, offset) or '1:0:0:'
  redis.call('ZREM', zset, offset)
  if pending and pending[2] ~= WAITING then return end -- somebody claimed it by hand
  local starts, cuts, history = string.match(record, '^(%d+):(%d+):%d:(.*)$')
  local attempt = whole(tonumber(starts) + 1)
  local claimed, count = nil, '0'
  if pending then
    local solo = kind == 'suspect' and '1' or '0'
    redis.call('HSET', attempts, offset, attempt .. ':' .. cuts .. ':' .. solo .. ':' .. history)
    claimed = redis.call('XCLAIM', log, group, consumer, 0, offset)[1]
    count = whole(pending[4] + 1)
  elseif redis.call('XRANGE', log, offset, offset)[1] then
    redis.call('HDEL', attempts, offset)
    return -- somebody acknowledged it by hand
  end
  if not claimed then redis.call('HDEL', attempts, offset) end
  reply[#reply + 1] = { offset, claimed and claimed[2] or '', count, attempt, kind, history }
end

for _, offset in ipairs(due_suspects) do hand_out(suspects, offset, 'suspect') end
for _, offset in ipairs(due_retries) do hand_out(retry, offset, 'retry') end

for _, pending in ipairs(forgotten) do redis.call('ZADD', retry, whole(now), pending[1]) end

local next_at
for _, zset in ipairs({ retry, suspects }) do
  local first = redis.call('ZRANGE', zset, 0, 0, 'WITHSCORES')[2]
  if first and (not next_at or tonumber(first) < next_at) then next_at = tonumber(first) end
end
if next_at then
  reply[2] = whole(next_at - now + server_now)
else
  redis.call('HDEL', attempts, CLOCK)
end
return reply
