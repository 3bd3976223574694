#!lua flags=allow-oom
-- Hand out to the owner of a queue what nobody was given before.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  owner
-- ARGV[3]  int     token
-- ARGV[4]  int     version
-- ARGV[5]  int     most entries; 1000 at most
-- ARGV[6]  ms      test time, '' = TIME; not used
--
-- Returns  { 'read', version, nudge, position, entry, entry, ... }  entries as XRANGE answers them
--          { 'fenced' }  not the owner; nothing changed
--          { 'gap' }     another version, or not everything was loaded; nothing changed
--
-- Invariant: only the owner reads, and never past something it does not know of.

local log, lease = KEYS[1], KEYS[2]
local group = ARGV[1]

local facts = redis.call('HMGET', lease, 'owner', 'token', 'version', 'loaded', 'nudge')
if facts[1] ~= ARGV[2] or facts[2] ~= ARGV[3] then return { 'fenced' } end
if facts[3] ~= ARGV[4] or facts[4] ~= '1' then return { 'gap' } end

local count = math.min(tonumber(ARGV[5]), 1000)
local reply = redis.call('XREADGROUP', 'GROUP', group, '~ordered', 'COUNT', count, 'STREAMS', log, '>')
local read = { 'read', facts[3], facts[5] or '0', '' }
if reply then
  read[2] = whole(tonumber(facts[3]) + 1)
  redis.call('HSET', lease, 'version', read[2])
  local entries = reply[1][2]
  read[4] = entries[#entries][1]
  for n, entry in ipairs(entries) do read[4 + n] = entry end
else
  read[4] = group_facts(log, group)['last-delivered-id']
end
return read
