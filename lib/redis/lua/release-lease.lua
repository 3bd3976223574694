#!lua flags=allow-oom
-- Own a queue no longer.
--
-- KEYS[1]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- KEYS[2]  HASH    lanes: lane -> its head, once that was started
-- ARGV[1]  string  owner
-- ARGV[2]  int     token
-- ARGV[3]  ms      test time, '' = TIME; not used
--
-- Returns  { 'released' }
--          { 'busy' }    a head is started and not settled; nothing changed
--          { 'fenced' }  not the owner; nothing changed
--
-- Invariant: nobody gives away a lane while its handler runs.

local lease, lanes = KEYS[1], KEYS[2]

local facts = redis.call('HMGET', lease, 'owner', 'token', 'base')
if facts[1] ~= ARGV[1] or facts[2] ~= ARGV[2] then return { 'fenced' } end
for _, record in ipairs(redis.call('HVALS', lanes)) do
  if read_head(record, facts[3]).open then return { 'busy' } end
end
redis.call('HSET', lease, 'owner', '', 'until', '0')
return { 'released' }
