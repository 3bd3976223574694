#!lua
-- Append the messages of transactions that are known to be committed, whether their halves are here or not.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; reserved: messages in halves
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  HASH    scheduled: message id -> frame
-- KEYS[4]  ZSET    due: message id by when it becomes visible (Unix ms)
-- KEYS[5]  HASH    half: transaction id -> facts and frames (halves.lua)
-- KEYS[6]  ZSET    checks: transaction id by when its owner is asked about it (Unix ms)
-- KEYS[7]  ZSET    parkedHalves: transaction id by when it was parked (Unix ms)
-- KEYS[8]  HASH    done: transaction id -> what became of it
-- KEYS[9+] STRING  dedup records of these messages
-- ARGV[1]  string  generation by which the queue was chosen
-- ARGV[2]  string  dedup ids of KEYS[9+], percent-encoded and a space between
-- ARGV[3]  bytes   transaction ids, 16 bytes each; 500 at most
-- ARGV[4]  bytes   for each its length (4 bytes, big endian), '<messages> <dues> <dedup ids>', a line feed, frames
-- ARGV[5]  ms      test time, '' = TIME
--
-- Returns  { ids, answer, ... }  the ids as they came, and for each one (see `replying` in halves.lua):
--   committed <results>     now or before: the results of the first time, as append.lua words them
--   rolled-back             decided before; nothing changed
--   full <room> <when>      maxLength leaves no room for all of it; nothing of it is stored. when: as 'whenFull' says
--   moved <generation>      the topic changed ('0': no such queue); nothing of it is here, nothing changed
--
-- Invariant: of commit and publish, in any order and number, exactly one appends, until nobody has asked for 24 h.

local keys = { meta = KEYS[1], log = KEYS[2], scheduled = KEYS[3], due = KEYS[4], half = KEYS[5], checks = KEYS[6],
  parked_halves = KEYS[7], done = KEYS[8] }
local generation, ids = ARGV[1], split_ids(ARGV[3])

local settings = redis.call('HMGET', keys.meta, 'generation', 'maxLength', 'reserved', 'whenFull')
local ended, halves = redis.call('HMGET', keys.done, unpack(ids)), redis.call('HMGET', keys.half, unpack(ids))
local append = appender(keys, ARGV[2], 9, ARGV[5])
local room = math.huge
if tonumber(settings[2]) then
  room = tonumber(settings[2]) - redis.call('XLEN', keys.log) - redis.call('ZCARD', keys.due) - tonumber(settings[3] or 0)
end

local reply, gone, ends, seen, is_repeat = replying(ARGV[3]), { ids = {}, messages = 0 }, {}, {}, false
local text, at = ARGV[4], 1
for i, id in ipairs(ids) do
  local last = at + 3 + struct.unpack('>I4', text, at)
  local messages, dues, dedups, frames_at = string.match(text, '^(%d+) (%S+) (%S+)\n()', at + 4)
  local known = ended[i] or seen[id]
  if known then
    is_repeat = true
    reply.add(resolution(known))
  elseif not halves[i] and settings[1] ~= generation then
    reply.add('moved ' .. (settings[1] or '0'))
  elseif not halves[i] and tonumber(messages) > room then
    reply.add('full ' .. whole(math.max(room, 0)) .. ' ' .. (settings[4] or 'reject'))
  else
    local results, placed = append.all(frames_in(text, frames_at, last), dues, dedups)
    room = room - placed
    if halves[i] then
      local facts = facts_of(halves[i])
      gone.ids[#gone.ids + 1] = id
      gone.messages = gone.messages + facts.messages
      gone.parked = gone.parked or facts.parked ~= '-'
      room = room + facts.messages
    end
    seen[id] = 'c' .. results
    ends[#ends + 1] = id
    ends[#ends + 1] = seen[id]
    reply.add(resolution(seen[id]))
  end
  at = last + 1
end
resolve(keys, gone, ends)
if is_repeat then redis.call('PEXPIRE', keys.done, REMEMBERED_MS) end
return reply.all()
