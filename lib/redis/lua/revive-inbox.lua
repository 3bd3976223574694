#!lua flags=allow-oom
-- Make an inbox again that was lost while somebody waits there.
--
-- KEYS[1]  STREAM  inbox: packets
-- KEYS[2]  HASH    room: large (bytes of large entries that nobody has read), most, revived (whoever reads has not seen it yet)
-- ARGV[1]  ms      lifetime, until whoever reads it renews it
-- ARGV[2]  bytes   most that large entries may take, until then
-- ARGV[3]  ms      test time, '' = TIME; not used
--
-- Returns  { 'revived' }
--          { 'present' }  it is there; nothing changed
--
-- Invariant: an inbox that nobody reads disappears.

local inbox, room = KEYS[1], KEYS[2]
local lifetime, most = ARGV[1], ARGV[2]

if redis.call('EXISTS', inbox) == 1 then return { 'present' } end

redis.call('XADD', inbox, 'MAXLEN', 0, '*', 'p', '')
redis.call('HSET', room, 'large', 0, 'most', most, 'revived', 1)
redis.call('PEXPIRE', inbox, lifetime)
redis.call('PEXPIRE', room, lifetime)
return { 'revived' }
