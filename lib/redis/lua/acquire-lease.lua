#!lua flags=allow-oom
-- Become the owner of a queue, unless somebody else is.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  HASH    lease: owner, token, base, until, version, loaded, nudge, held
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  owner
-- ARGV[3]  ms      how long the lease lasts
-- ARGV[4]  ms      test time, '' = TIME
--
-- Returns  { 'acquired', token, 'continued' or 'new' }  'continued': nobody else owned it since this owner did
--          { 'held', owner, ms }                        somebody else owns it for this long
--
-- Invariant: the token grows with every acquisition, also when the lease was lost and the clock went back as far as it
-- had come. `base` is the first token of this owner: what was started under an earlier one was cut off.

local log, lease = KEYS[1], KEYS[2]
local group, owner, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])

local now = now_ms(ARGV[4])
local facts = redis.call('HMGET', lease, 'owner', 'token', 'base', 'until')
redis.call('XPENDING', log, group)
local owned_until = tonumber(facts[4] or 0)
if facts[1] and facts[1] ~= '' and facts[1] ~= owner and owned_until > now then
  -- The clock was set back: nobody waits for longer than a lease.
  if owned_until > now + lease_ms then
    owned_until = now + lease_ms
    redis.call('HSET', lease, 'until', whole(owned_until))
  end
  return { 'held', facts[1], whole(owned_until - now) }
end

local token = whole(math.max(tonumber(facts[2] or 0) + 1, now))
local continued = facts[1] == owner
redis.call('HSET', lease, 'owner', owner, 'token', token, 'base', continued and facts[3] or token,
  'until', whole(now + lease_ms), 'version', '0', 'loaded', '0')
return { 'acquired', token, continued and 'continued' or 'new' }
