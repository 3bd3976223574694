#!lua flags=allow-oom
-- Make a queue of a topic ready, or bring its settings up to date.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; parent: where its message groups were before;
--                  seal:<generation> -> the last offset before that generation; reserved: messages in halves; unnoted: the life of
--                  the topic in which it was lost, until its groups are noted (note-lost)
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  HASH    scheduled: message id -> frame
-- KEYS[4]  HASH    half: transaction id -> facts and frames (halves.lua)
-- KEYS[5]  SET     before: ids of halves, and of scheduled messages with a group, that are older than the last generation
-- ARGV[1]  string  generation of the topic
-- ARGV[2]  string  name for this life of the topic
-- ARGV[3]  int     version of the settings
-- ARGV[4]  ms      retention
-- ARGV[5]  string  most messages, '' for no limit
-- ARGV[6]  string  what a send does when there are as many: 'reject', 'drop-oldest' or 'wait'
-- ARGV[7]  ms      dedup window
-- ARGV[8]  string  '<queue> <generation> <queues>' for a queue that takes message groups over from another one, else ''
-- ARGV[9]  ms      test time, '' = TIME
--
-- Returns  { 'open' }     it has these settings now
--          { 'anew' }     likewise, and nothing was there, though the topic is older than it takes to make it: note its groups,
--                         which is asked for until it is done
--          { 'current' }  it has these or newer ones; nothing changed
--
-- Invariant: a queue never goes back to older settings. From its new generation on, nothing that was sent by an older
-- one is appended: all there is of that stands up to the seal, or is named in `before`.

local meta, log, before = KEYS[1], KEYS[2], KEYS[5]
local MADE_WITHIN_MS = 60000

local now = now_ms(ARGV[9])
local facts = redis.call('HMGET', meta, 'born', 'version', 'generation', 'reserved', 'unnoted')
local is_unnoted = facts[5] == ARGV[2]
if facts[1] == ARGV[2] and tonumber(facts[2]) >= tonumber(ARGV[3]) then return { is_unnoted and 'anew' or 'current' } end
local scheduled, hidden = redis.call('HKEYS', KEYS[3]), redis.call('HKEYS', KEYS[4])
redis.call('SCARD', before)
-- Of a queue that was lost and kept its halves: those that ended since were taken off a count that was not there.
local reserved = 0
if facts[1] ~= ARGV[2] then
  for _, id in ipairs(hidden) do
    -- How many messages: the sixth fact (FACT of halves.lua).
    reserved = reserved + tonumber(string.match(redis.call('HGET', KEYS[4], id), '^%d+ %d+ %S+ %S+ %S+ (%d+) ') or 0)
  end
end
if facts[1] == ARGV[2] and facts[3] ~= ARGV[1] then
  local last = '0-0'
  if redis.call('EXISTS', log) == 1 then
    local info = redis.call('XINFO', 'STREAM', log)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
  end
  redis.call('HSET', meta, 'seal:' .. ARGV[1], last)
  -- Only what has a message group may have to be waited for: a bit of the flags behind version and id tells.
  for _, id in ipairs(scheduled) do
    local flags = string.byte(redis.call('HGET', KEYS[3], id), 18)
    if flags and math.floor(flags / 4) % 2 == 1 then hidden[#hidden + 1] = id end
  end
  for i = 1, #hidden, 1000 do redis.call('SADD', before, unpack(hidden, i, math.min(i + 999, #hidden))) end
end
redis.call('HSET', meta, 'generation', ARGV[1], 'born', ARGV[2], 'version', ARGV[3], 'retentionMs', ARGV[4],
  'maxLength', ARGV[5], 'whenFull', ARGV[6], 'dedupWindowMs', ARGV[7])
if facts[1] ~= ARGV[2] and (reserved > 0 or facts[4]) then redis.call('HSET', meta, 'reserved', whole(reserved)) end
if ARGV[8] ~= '' and not facts[1] then redis.call('HSET', meta, 'parent', ARGV[8]) end
-- A generation is a time, or one behind that.
local is_lost = not facts[1] and ARGV[8] == '' and now - tonumber(ARGV[1]) > MADE_WITHIN_MS
if is_lost then redis.call('HSET', meta, 'unnoted', ARGV[2]) end
return { (is_lost or is_unnoted) and 'anew' or 'open' }
