#!lua flags=allow-oom
-- Settle first deliveries of a consumer as done: the fast way of settle.lua for its commonest case.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  HASH    attempts: offset -> record, of every unsettled delivery that left its first hand
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  consumer
-- ARGV[3]  string  offsets, a space between; none twice
-- ARGV[4]  ms      test time, '' = TIME; not used
--
-- Returns  { 'settled' }            all of them
--          { word, word, ... }      one per offset: 'settled', or 'stale' (settled already, or in other hands since)
--
-- Invariant: a first delivery whose receipt is outdated is not acknowledged. Whatever takes it from its first hand
-- leaves a record in attempts; so without a record it is where it was, or settled. Asking XPENDING for each offset
-- would double the cost of an acknowledgement; it is done for up to eight, and when the first or the last offset is
-- not in this hand. Between those, one that was settled before may be called settled again.

local log, attempts = KEYS[1], KEYS[2]
local group, consumer = ARGV[1], ARGV[2]
local FEW = 8

local asked, count = {}, 0
for offset in string.gmatch(ARGV[3], '[^ ]+') do
  count = count + 1
  asked[count] = offset
end

local function in_first_hand(offset)
  local held = redis.call('XPENDING', log, group, offset, offset, 1, consumer)[1]
  return held and held[4] == 1
end

local function acknowledge(offsets)
  for i = 1, #offsets, 1000 do
    redis.call('XACK', log, group, unpack(offsets, i, math.min(i + 999, #offsets)))
  end
end

local function none_has_a_record()
  if redis.call('HLEN', attempts) == 0 then return true end
  for i = 1, count, 1000 do
    for _, record in ipairs(redis.call('HMGET', attempts, unpack(asked, i, math.min(i + 999, count)))) do
      if record then return false end
    end
  end
  return true
end

local few = count <= FEW
if not few and none_has_a_record() and in_first_hand(asked[1]) and in_first_hand(asked[count]) then
  acknowledge(asked)
  return { 'settled' }
end

local words, mine = {}, {}
for i = 1, count do
  local offset = asked[i]
  if in_first_hand(offset) then
    words[i] = 'settled'
    mine[#mine + 1] = offset
  else
    words[i] = 'stale'
  end
end
acknowledge(mine)
if #mine == count then return { 'settled' } end
return words
