#!lua flags=allow-oom
-- Take tokens from the bucket of a subscription.
--
-- KEYS[1]  STRING  rate: tokens that are left, a space, when that was (Unix ms). None: it is full
-- ARGV[1]  count   tokens that are wanted
-- ARGV[2]  count   tokens of a full bucket
-- ARGV[3]  ms      in which an empty bucket fills
-- ARGV[4]  ms      test time, '' = TIME
--
-- Returns  { granted, left, wait }  tokens that are granted, whole ones that are left, and, when it grants fewer than
--                                   wanted, milliseconds until there is another one
--
-- Invariant: over any time of the server's clock no more tokens are granted than a full bucket has and that time fills.

local rate = KEYS[1]
local want, max, per_ms, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), now_ms(ARGV[4])

local level, at = string.match(redis.call('GET', rate) or '', '^(%S+) (%S+)$')
-- A clock that was set back takes nothing away: filling goes on from here, not from when it comes back there.
level, at = tonumber(level or max), math.min(tonumber(at or now), now)
level = math.min(max, level + (now - at) * max / per_ms)
-- What binary fractions lack of a whole token is none.
local granted = math.min(want, math.floor(level + 1e-6))
level = math.max(0, level - granted)

redis.call('SET', rate, string.format('%.9f %.0f', level, now), 'PX', whole(per_ms))
local wait = granted < want and math.ceil((1 - level) * per_ms / max) or 0
return { whole(granted), whole(math.floor(level)), whole(math.max(0, wait)) }
