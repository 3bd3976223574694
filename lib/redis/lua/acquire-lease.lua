#!lua flags=allow-oom
-- Become the owner of a queue, unless somebody else is.
--
-- KEYS[1]  HASH    meta: parent: where its message groups were before, '<queue> <generation> <queues>'
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held, gate
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  owner
-- ARGV[3]  ms      how long the lease lasts
-- ARGV[4]  int     token of the last owner of that queue, when nothing is left there to wait for, else ''
-- ARGV[5]  ms      test time, '' = TIME
--
-- Returns  { 'acquired', token, 'continued' or 'new' }  'continued': nobody else owned it since this owner did
--          { 'held', owner, ms }                        somebody else owns it for this long
--          { 'gated', parent, '' }                      nobody may before that queue is drained; nothing changed
--
-- Invariant: the token grows with every acquisition, also when the lease was lost and the clock went back as far as it
-- had come, and when the message groups came from another queue. `base` is the first token of this owner: what was started under an earlier one was cut off.

local meta, log, lease = KEYS[1], KEYS[2], KEYS[3]
local group, owner, lease_ms, floor = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

local now = now_ms(ARGV[5])
local facts = redis.call('HMGET', lease, 'owner', 'token', 'base', 'until', 'gate', 'lasts')
local parent = redis.call('HGET', meta, 'parent')
redis.call('XPENDING', log, group)
if parent and not facts[5] and floor == '' then return { 'gated', parent, '' } end
local owned_until = tonumber(facts[4] or 0)
if facts[1] and facts[1] ~= '' and facts[1] ~= owner and owned_until > now then
  -- The clock was set back: nobody waits for longer than a lease of its owner's, who may have another than we.
  local latest = now + (tonumber(facts[6]) or lease_ms)
  if owned_until > latest then
    owned_until = latest
    redis.call('HSET', lease, 'until', whole(owned_until))
  end
  return { 'held', facts[1], whole(owned_until - now) }
end

local token = whole(math.max(tonumber(facts[2] or 0) + 1, (tonumber(floor) or 0) + 1, now))
local continued = facts[1] == owner
redis.call('HSET', lease, 'owner', owner, 'token', token, 'base', continued and facts[3] or token,
  'until', whole(now + lease_ms), 'lasts', whole(lease_ms), 'version', '0', 'loaded', '0')
if floor ~= '' then redis.call('HSET', lease, 'gate', '1') end
return { 'acquired', token, continued and 'continued' or 'new' }
