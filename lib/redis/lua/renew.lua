#!lua flags=allow-oom
-- Keep deliveries in a consumer's hands, tell which are not there any more, and give back those it never received.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  ZSET    retry: offset by when it is visible again (Unix ms)
-- KEYS[3]  ZSET    suspects: likewise, what was in hand when a consumer died
-- KEYS[4]  HASH    attempts: offset -> starts:cuts:solo:history; ~clock (steady.lua)
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  consumer
-- ARGV[3]  ms      what is pending for longer, and not in hand, was in a reply that got lost
-- ARGV[4]  string  offsets in hand, a space between
-- ARGV[5]  string  their delivery counts, likewise
-- ARGV[6]  ms      test time, '' = TIME
--
-- Returns  { released, offset, ... }  number given back; offsets that are not in this hand any more
--
-- Invariant: what the consumer works on is never given back. A delivery that never arrived does not count as started.

local log, retry, suspects, attempts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, consumer, swallowed_after = ARGV[1], ARGV[2], tonumber(ARGV[3])
local WAITING, PAGE, MOST_PAGES = '~waiting', 1000, 10

local now, real_now = now_ms(ARGV[6]), now_ms('')
redis.call('ZCARD', retry)
redis.call('ZCARD', suspects)
redis.call('HLEN', attempts)

local counts, in_hand = {}, {}
for count in string.gmatch(ARGV[5], '[^ ]+') do counts[#counts + 1] = tonumber(count) end
local place = 0
for offset in string.gmatch(ARGV[4], '[^ ]+') do
  place = place + 1
  in_hand[offset] = counts[place]
end

local kept, swallowed, unborn, from = {}, {}, {}, '-'
for _ = 1, MOST_PAGES do
  local page = redis.call('XPENDING', log, group, from, '+', PAGE, consumer)
  for _, pending in ipairs(page) do
    local offset, delivered_at, count = pending[1], real_now - pending[3], pending[4]
    if in_hand[offset] == count then
      kept[#kept + 1] = offset
      in_hand[offset] = nil
    elseif in_hand[offset] == nil and now - delivered_at >= swallowed_after and #swallowed < PAGE then
      swallowed[#swallowed + 1] = offset
    elseif in_hand[offset] == nil and pending[3] == 0 and #unborn < PAGE then
      unborn[#unborn + 1] = offset
    end
  end
  from = #page == PAGE and '(' .. page[#page][1] or nil
  if not from then break end
end
-- More is pending than the pages hold: the rest is asked for one by one.
if from then
  for offset, count in pairs(in_hand) do
    local pending = redis.call('XPENDING', log, group, offset, offset, 1, consumer)[1]
    if pending and pending[4] == count then
      kept[#kept + 1] = offset
      in_hand[offset] = nil
    end
  end
end

local function claim(offsets)
  for i = 1, #offsets, 900 do
    local some = { unpack(offsets, i, math.min(i + 899, #offsets)) }
    some[#some + 1] = 'JUSTID'
    redis.call('XCLAIM', log, group, consumer, 0, unpack(some))
  end
end
claim(kept)
-- Delivered in this millisecond, or later by a clock that was set back since: the time counts from here on.
claim(unborn)

local due = #swallowed > 0 and whole(steady_ms(attempts, now, true))
for _, offset in ipairs(swallowed) do
  local starts, cuts, history = 1, 0, ''
  local record = redis.call('HGET', attempts, offset)
  if record then starts, cuts, history = string.match(record, '^(%d+):(%d+):%d:(.*)$') end
  starts = whole(math.max(tonumber(starts) - 1, 0))
  redis.call('HSET', attempts, offset, starts .. ':' .. cuts .. ':0:' .. history)
  redis.call('ZADD', tonumber(cuts) > 0 and suspects or retry, due, offset)
  redis.call('XCLAIM', log, group, WAITING, 0, offset, 'JUSTID')
end

local reply = { whole(#swallowed) }
for offset in string.gmatch(ARGV[4], '[^ ]+') do
  if in_hand[offset] then reply[#reply + 1] = offset end
end
return reply
