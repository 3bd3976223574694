#!lua flags=allow-oom
-- Make or keep an inbox, and drop what was read from it.
--
-- KEYS[1]  STREAM  inbox: packets
-- ARGV[1]  string  id of the last packet that was read
-- ARGV[2]  ms      lifetime
-- ARGV[3]  ms      test time, '' = TIME; not used
--
-- Returns  { 'created' }  it was not there (any more)
--          { 'renewed' }
--
-- Invariant: an inbox that nobody reads disappears.

local inbox = KEYS[1]
local read, lifetime = ARGV[1], ARGV[2]

local there = redis.call('XLEN', inbox) > 0 or redis.call('EXISTS', inbox) == 1
if there then
  redis.call('XTRIM', inbox, 'MINID', read)
else
  redis.call('XADD', inbox, 'MAXLEN', 0, '*', 'p', '')
end
redis.call('PEXPIRE', inbox, lifetime)
return { there and 'renewed' or 'created' }
