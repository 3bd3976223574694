#!lua
-- Store the messages of transactions, invisible until they are decided.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; reserved: messages in halves; ~clock (steady.lua)
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  ZSET    due: message id by when it becomes visible (Unix ms)
-- KEYS[4]  HASH    half: transaction id -> facts and frames (halves.lua)
-- KEYS[5]  ZSET    checks: transaction id by when its owner is asked about it (Unix ms)
-- KEYS[6]  HASH    done: transaction id -> what became of it
-- ARGV[1]  string  generation by which the queue was chosen
-- ARGV[2]  string  owner, percent-encoded
-- ARGV[3]  bytes   transaction ids, 16 bytes each; 500 at most
-- ARGV[4]  bytes   for each its length (4 bytes, big endian), '<ask after ms> <name> <messages> <dues> <dedup ids>', a line feed, frames
-- ARGV[5]  ms      test time, '' = TIME
--
-- Returns  { ids, answer, ... }  the ids as they came, and for each one (see `replying` in halves.lua):
--   prepared                stored, now or before
--   full <room> <when>      maxLength leaves no room for all of it; nothing of it is stored. when: as 'whenFull' says
--   moved <generation>      the topic changed ('0': no such queue); nothing of it is stored
--   committed <results>     decided before; nothing changed
--   rolled-back             likewise
--
-- Invariant: a transaction that was decided is never prepared again. What is prepared has its room under maxLength.

local meta, log, due, half, checks, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local generation, owner = ARGV[1], ARGV[2]

local now, ids = now_ms(ARGV[5]), split_ids(ARGV[3])
local settings = redis.call('HMGET', meta, 'generation', 'maxLength', 'reserved', 'owner:' .. owner, 'whenFull')
local ended, known = redis.call('HMGET', done, unpack(ids)), redis.call('HMGET', half, unpack(ids))
redis.call('ZCARD', checks)
local room = math.huge
if tonumber(settings[2]) then
  room = tonumber(settings[2]) - redis.call('XLEN', log) - redis.call('ZCARD', due) - tonumber(settings[3] or 0)
end

local reply, halves, times, reserved, seen = replying(ARGV[3]), {}, {}, 0, {}
-- Facts that are the same as those of the half before, as nearly all are, are not read again.
local last_facts, after, messages, head
local function read_facts(facts)
  local head_at
  after, head_at, messages = string.match(facts, '^(%d+) ()%S+ (%d+)')
  last_facts, messages = facts, tonumber(messages)
  head = whole(now) .. ' 0 - ' .. owner .. ' ' .. string.sub(facts, head_at)
end
local text, at, count = ARGV[4], 1, 0
for i, id in ipairs(ids) do
  local last = at + 3 + struct.unpack('>I4', text, at)
  local facts, frames_at = string.match(text, '^([^\n]*\n)()', at + 4)
  if facts ~= last_facts then read_facts(facts) end
  if ended[i] then
    reply.add(resolution(ended[i]))
  elseif known[i] or seen[id] then
    reply.add('prepared')
  elseif settings[1] ~= generation then
    reply.add('moved ' .. (settings[1] or '0'))
  elseif messages > room - reserved then
    reply.add('full ' .. whole(math.max(room - reserved, 0)) .. ' ' .. (settings[5] or 'reject'))
  else
    seen[id], reserved = true, reserved + messages
    halves[count + 1], halves[count + 2] = id, head .. string.sub(text, frames_at, last)
    times[count + 1], times[count + 2] = after, id
    count = count + 2
    reply.add('prepared')
  end
  at = last + 1
end
if count > 0 then
  local steady, asked_after, ask_at = steady_ms(meta, now, true), nil, nil
  for n = 1, count, 2 do
    if times[n] ~= asked_after then asked_after, ask_at = times[n], whole(steady + tonumber(times[n])) end
    times[n] = ask_at
  end
  redis.call('HSET', half, unpack(halves))
  redis.call('ZADD', checks, unpack(times))
  redis.call('HINCRBY', meta, 'reserved', reserved)
  if not settings[4] then redis.call('HSET', meta, 'owner:' .. owner, '1') end
end
return reply.all()
