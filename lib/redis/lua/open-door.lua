#!lua flags=allow-oom
-- Let the read that follows in the same transaction happen, if whoever asks owns the queue.
--
-- KEYS[1]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- KEYS[2]  STREAM  door: nothing; read together with the log, which Redis refuses where the consumer group is not
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  owner
-- ARGV[3]  int     token
-- ARGV[4]  int     version
-- ARGV[5]  ms      test time, '' = TIME; not used
--
-- Returns  { 'open', version, nudge }  the owner may read, and has another version
--          { 'fenced' }  not the owner; nothing changed
--          { 'gap' }     another version, or not everything was loaded; nothing changed
--
-- Invariant: without this script having answered 'open' in the same transaction, the read is refused as a whole.

local lease, door = KEYS[1], KEYS[2]

local facts = redis.call('HMGET', lease, 'owner', 'token', 'version', 'loaded', 'nudge')
if facts[1] ~= ARGV[2] or facts[2] ~= ARGV[3] then return { 'fenced' } end
if facts[3] ~= ARGV[4] or facts[4] ~= '1' then return { 'gap' } end

local version = whole(tonumber(facts[3]) + 1)
redis.call('HSET', lease, 'version', version)
redis.call('XGROUP', 'CREATE', door, ARGV[1], '0', 'MKSTREAM')
return { 'open', version, facts[5] or '0' }
