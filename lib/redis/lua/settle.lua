#!lua flags=allow-oom
-- Settle deliveries of a consumer: done, to be tried again, given back, or given up.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  ZSET    retry: offset by when it is visible again (Unix ms)
-- KEYS[3]  ZSET    suspects: likewise, what was in hand when a consumer died
-- KEYS[4]  HASH    attempts: offset -> starts:cuts:solo:history; ~clock (steady.lua)
-- KEYS[5]  STREAM  dead: dead letters
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  consumer; '~waiting': of what waits for its next attempt
-- ARGV[3+] string  five per delivery: offset, delivery count, kind, ms, text. Kinds: 'ack'; 'retry' (after ms, text =
--                  history, '' = as it was); 'release' (after ms); 'dead-letter' (text = note)
-- ARGV[last] ms    test time, '' = TIME
--
-- Returns  { word, word, ... }  one per delivery: 'settled', or 'stale' (settled already, or in other hands since;
--                               nothing changed)
--
-- Invariant: only the latest delivery of a message, in the hand it was given to, can settle it. A retried message
-- stays pending at its offset, in the hand of '~waiting'.

local log, retry, suspects, attempts, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, consumer, test_time = ARGV[1], ARGV[2], ARGV[#ARGV]
local WAITING = '~waiting'

local words, items, seen = {}, {}, {}
for i = 3, #ARGV - 5, 5 do
  local offset = ARGV[i]
  local held = redis.call('XPENDING', log, group, offset, offset, 1, consumer)[1]
  if held and held[4] == tonumber(ARGV[i + 1]) and not seen[offset] then
    seen[offset] = true
    words[#words + 1] = 'settled'
    items[#items + 1] = i
  else
    words[#words + 1] = 'stale'
  end
end
redis.call('ZCARD', retry)
redis.call('ZCARD', suspects)
redis.call('HLEN', attempts)
redis.call('XLEN', dead)

local function record_of(offset)
  local record = redis.call('HGET', attempts, offset)
  if not record then return 1, 0, '' end
  local starts, cuts, history = string.match(record, '^(%d+):(%d+):%d:(.*)$')
  return tonumber(starts), tonumber(cuts), history
end

local now
local function wait_in(zset, offset, ms, record)
  now = now or steady_ms(attempts, now_ms(test_time), true)
  redis.call('HSET', attempts, offset, record)
  redis.call('ZADD', zset, whole(now + tonumber(ms)), offset)
  redis.call('XCLAIM', log, group, WAITING, 0, offset, 'JUSTID')
end

local done = {}
for _, i in ipairs(items) do
  local offset, kind, ms, text = ARGV[i], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  if kind == 'retry' then
    local starts, _, history = record_of(offset)
    if text ~= '' then history = text end
    wait_in(retry, offset, ms, whole(starts) .. ':0:0:' .. history)
  elseif kind == 'release' then
    local starts, cuts, history = record_of(offset)
    local record = whole(math.max(starts - 1, 0)) .. ':' .. whole(cuts) .. ':0:' .. history
    wait_in(cuts > 0 and suspects or retry, offset, ms, record)
  else
    if kind == 'dead-letter' then
      local entry = redis.call('XRANGE', log, offset, offset)[1]
      local fields = storable(entry and entry[2] or {})
      redis.call('XADD', dead, next_id(dead, test_time), 'n', text, 'f', offset, unpack(fields))
    end
    done[#done + 1] = offset
  end
end
for i = 1, #done, 1000 do
  local last = math.min(i + 999, #done)
  redis.call('XACK', log, group, unpack(done, i, last))
  redis.call('HDEL', attempts, unpack(done, i, last))
  if consumer == WAITING then
    redis.call('ZREM', retry, unpack(done, i, last))
    redis.call('ZREM', suspects, unpack(done, i, last))
  end
end
return words
