#!lua
-- Put a large entry of answers into an inbox, unless too much waits there.
--
-- KEYS[1]  STREAM  inbox: packets
-- KEYS[2]  HASH    room: large (bytes of large entries that nobody has read), most, revived
-- ARGV[1]  bytes   packets of one entry, joined
-- ARGV[2]  ms      test time, '' = TIME; not used
--
-- Returns  { 'sent' }
--          { 'gone' }  nobody waits there (any more); nothing changed
--          { 'full' }  there is no room; nothing changed
--
-- Invariant: what waits for one reader is bounded, however many write. One entry fits into an inbox without large ones.

local inbox, room = KEYS[1], KEYS[2]
local packets = ARGV[1]

if redis.call('EXISTS', inbox) == 0 then return { 'gone' } end
local facts = redis.call('HMGET', room, 'large', 'most')
local large, most = tonumber(facts[1] or 0), tonumber(facts[2])
if most and large > 0 and large + #packets > most then return { 'full' } end

redis.call('XADD', inbox, '*', 'p', packets)
-- An older library made the inbox, and would not know of it.
if most then redis.call('HINCRBY', room, 'large', #packets) end
return { 'sent' }
