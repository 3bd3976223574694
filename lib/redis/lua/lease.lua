#!lua flags=no-writes
-- Who owns a queue?
--
-- KEYS[1]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- ARGV[1]  ms      test time, '' = TIME
--
-- Returns  { owner, ms }  '' and 0 when nobody does, or the lease has expired
--
-- Invariant: an expired lease is free.

local facts = redis.call('HMGET', KEYS[1], 'owner', 'until')
local left = tonumber(facts[2] or 0) - now_ms(ARGV[1])
if not facts[1] or left <= 0 then return { '', '0' } end
return { facts[1], whole(left) }
