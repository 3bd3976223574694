#!lua flags=allow-oom
-- Make or keep an inbox, and drop what was read from it.
--
-- KEYS[1]  STREAM  inbox: packets
-- KEYS[2]  HASH    room: large (bytes of large entries that nobody has read), most, revived
-- ARGV[1]  string  id of the last entry that was read
-- ARGV[2]  ms      lifetime
-- ARGV[3]  bytes   most that large entries may take
-- ARGV[4]  bytes   of large entries that were read since this was last called
-- ARGV[5]  ms      test time, '' = TIME; not used
--
-- Returns  { 'created' }  it was not there (any more), or was made again meanwhile: nothing of it was read
--          { 'renewed' }
--
-- Invariant: an inbox that nobody reads disappears.

local inbox, room = KEYS[1], KEYS[2]
local read, lifetime = ARGV[1], ARGV[2]

local there = redis.call('EXISTS', inbox) == 1
-- Made again, perhaps on a server whose clock is behind, in a call whose answer was lost: what it holds was never read.
local is_behind = false
if there then
  local info = redis.call('XINFO', 'STREAM', inbox)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then is_behind = is_before(info[i + 1], read) end
  end
end
local revived = redis.call('HDEL', room, 'revived') == 1
local large = tonumber(redis.call('HGET', room, 'large') or 0) - tonumber(ARGV[4])
if is_behind or there and revived then
  large = tonumber(redis.call('HGET', room, 'large') or 0)
elseif there then
  redis.call('XTRIM', inbox, 'MINID', read)
  -- Large entries that were dropped before they were read were counted, too.
  if #redis.call('XRANGE', inbox, '(' .. read, '+', 'COUNT', 1) == 0 then large = 0 end
else
  redis.call('XADD', inbox, 'MAXLEN', 0, '*', 'p', '')
  large = 0
end
redis.call('HSET', room, 'large', whole(math.max(0, large)), 'most', ARGV[3])
redis.call('PEXPIRE', inbox, lifetime)
redis.call('PEXPIRE', room, lifetime)
return { there and not revived and not is_behind and 'renewed' or 'created' }
