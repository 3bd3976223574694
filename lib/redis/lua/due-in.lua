#!lua flags=no-writes
-- In how many milliseconds the first delivery that waits falls due, in several queues.
--
-- KEYS[1+]  any     log, retry, suspects, attempts of each queue (claim-due.lua)
-- ARGV[1+]  string  consumer group of each queue
-- ARGV[last] ms     test time, '' = TIME
--
-- Returns  { wait, ... }  one for each queue: '0' when one is due, '' when none waits
--
-- Invariant: what claim-due.lua has to note or to tell is due: what waits without a note, that the clock was set back, a key that
-- is none of ours. One queue keeps no other from its answer.

local WAITING = '~waiting'
local now = now_ms(ARGV[#ARGV])

local function wait_of(log, retry, suspects, attempts, group)
  local clock = redis.pcall('HGET', attempts, CLOCK)
  if type(clock) == 'table' and clock.err then return '0' end
  local at = math.huge
  for _, zset in ipairs({ retry, suspects }) do
    local first = redis.pcall('ZRANGE', zset, 0, 0, 'WITHSCORES')
    if first.err then return '0' end
    at = math.min(at, tonumber(first[2] or at))
  end
  if at < math.huge then
    local steady, by_clock = read_steady(clock, now)
    return steady > by_clock and '0' or whole(math.max(0, at - steady))
  end
  local forgotten = redis.pcall('XPENDING', log, group, '-', '+', 1, WAITING)
  if forgotten.err then return string.match(forgotten.err, 'NOGROUP') and '' or '0' end
  return forgotten[1] and '0' or ''
end

local waits = {}
for i = 1, #KEYS / 4 do
  local last = 4 * i
  waits[i] = wait_of(KEYS[last - 3], KEYS[last - 2], KEYS[last - 1], KEYS[last], ARGV[i])
end
return waits
