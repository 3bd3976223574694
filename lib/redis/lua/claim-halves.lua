#!lua flags=allow-oom
-- Hand out halves that are due to be asked about, and hide them from other checkers for a while.
--
-- KEYS[1]  HASH    meta: ~clock (steady.lua)
-- KEYS[2]  HASH    half: transaction id -> facts and frames (halves.lua)
-- KEYS[3]  ZSET    checks: transaction id by when its owner is asked about it (Unix ms)
-- ARGV[1]  int     most halves; 500 at most
-- ARGV[2]  ms      how long they are hidden
-- ARGV[3]  string  'frames' to hand out the messages, too: then no more than about a megabyte; '' = facts only
-- ARGV[4]  string  owner
-- ARGV[5]  ms      test time, '' = TIME
--
-- Returns  { now, next, waiting, id, half, id, half, ... }  next = when the next one falls due (Unix ms), '' when none
--                                                           waits; waiting = halves of this owner, these included
--
-- Invariant: a half leaves the list by commit, publish, rollback or park only; a checker that died leaves it to the next one.
-- Nothing waits for longer because the clock was set back. A half that is in no list, since somebody deleted that key, is put
-- there: looked for while none is due, among some of those that wait.

local meta, half, checks = KEYS[1], KEYS[2], KEYS[3]
local MOST_BYTES = 1024 * 1024
-- Of halves that are in no list of this owner, which those of others are not either.
local LOOKED_AT, LOOKED_AT_BYTES = 20, 64 * 1024

redis.call('HLEN', half)
redis.call('ZCARD', checks)
local server_now = now_ms(ARGV[5])
local now = steady_ms(meta, server_now)
local ids = redis.call('ZRANGEBYSCORE', checks, '-inf', whole(now), 'LIMIT', 0, math.min(tonumber(ARGV[1]), 500))
if #ids > 0 then steady_ms(meta, server_now, true) end
local hidden_until = whole(now + tonumber(ARGV[2]))
local reply, bytes = { whole(server_now), '', '' }, 0
for _, id in ipairs(ids) do
  local found = redis.call('HGET', half, id)
  if not found then
    redis.call('ZREM', checks, id)
  else
    if ARGV[3] ~= 'frames' then found = string.sub(found, 1, string.find(found, '\n', 1, true)) end
    if bytes > 0 and bytes + #found > MOST_BYTES then break end
    bytes = bytes + #found
    redis.call('ZADD', checks, hidden_until, id)
    reply[#reply + 1] = id
    reply[#reply + 1] = found
  end
end
if #ids == 0 and redis.call('HLEN', half) > redis.call('ZCARD', checks) then
  local some, seen = redis.call('HRANDFIELD', half, LOOKED_AT), 0
  for i, score in ipairs(redis.call('ZMSCORE', checks, unpack(some))) do
    if not score and seen < LOOKED_AT_BYTES then
      local found = redis.call('HGET', half, some[i])
      seen = seen + #found
      local parked, owner = string.match(found, '^%d+ %d+ (%S+) (%S+) ')
      -- Not at once: whoever prepared it may still be at work.
      if parked == '-' and owner == ARGV[4] then redis.call('ZADD', checks, hidden_until, some[i]) end
    end
  end
end
local first = redis.call('ZRANGE', checks, 0, 0, 'WITHSCORES')[2]
if first then reply[2] = whole(first - now + server_now) end
reply[3] = whole(redis.call('ZCARD', checks))
return reply
