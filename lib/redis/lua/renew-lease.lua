#!lua flags=allow-oom
-- Own a queue for longer.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  owner
-- ARGV[3]  int     token
-- ARGV[4]  ms      how long the lease lasts
-- ARGV[5]  ms      test time, '' = TIME
--
-- Returns  { 'renewed', nudge, strangers }  strangers = deliveries in hands that no owner has
--          { 'fenced' }                     not the owner; nothing changed
--
-- Invariant: a lease that has expired is still its owner's until somebody else takes it.

local log, lease = KEYS[1], KEYS[2]

local facts = redis.call('HMGET', lease, 'owner', 'token', 'nudge')
if facts[1] ~= ARGV[2] or facts[2] ~= ARGV[3] then return { 'fenced' } end
local strangers = 0
for _, counted in ipairs(redis.call('XPENDING', log, ARGV[1])[4] or {}) do
  if counted[1] ~= '~ordered' then strangers = strangers + tonumber(counted[2]) end
end
redis.call('HSET', lease, 'until', whole(now_ms(ARGV[5]) + tonumber(ARGV[4])), 'lasts', ARGV[4])
return { 'renewed', facts[3] or '0', whole(strangers) }
