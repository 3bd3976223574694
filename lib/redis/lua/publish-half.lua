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
-- ARGV[3+] bytes   for each transaction: its id; '<messages> <dues> <dedup ids>'; frames. 500 at most
-- ARGV[last] ms    test time, '' = TIME
--
-- Returns  { ids, answer, ... }  the ids as they came, and for each one:
--   committed <results>     now or before: the results of the first time, as append.lua words them
--   rolled-back             decided before; nothing changed
--   full                    maxLength leaves no room for all of it; nothing of it is stored
--   moved <generation>      the topic changed ('0': no such queue); nothing of it is here, nothing changed
--
-- Invariant: of commit and publish, in any order and number, exactly one appends.

local keys = { meta = KEYS[1], log = KEYS[2], scheduled = KEYS[3], due = KEYS[4], half = KEYS[5], checks = KEYS[6],
  parked_halves = KEYS[7], done = KEYS[8] }
local generation, test_time = ARGV[1], ARGV[#ARGV]

local ids = {}
for i = 3, #ARGV - 1, 3 do ids[#ids + 1] = ARGV[i] end
local settings = redis.call('HMGET', keys.meta, 'generation', 'maxLength', 'reserved')
local ended, halves = redis.call('HMGET', keys.done, unpack(ids)), redis.call('HMGET', keys.half, unpack(ids))
local append = appender(keys, ARGV[2], 9, test_time)
local room = math.huge
if tonumber(settings[2]) then
  room = tonumber(settings[2]) - redis.call('XLEN', keys.log) - redis.call('ZCARD', keys.due) - tonumber(settings[3] or 0)
end

local reply, gone, ends = { table.concat(ids) }, { ids = {}, messages = 0 }, {}
local seen = {}
for i, id in ipairs(ids) do
  local messages, dues, dedups = string.match(ARGV[3 * i + 1], '^(%d+) (%S+) (%S+)$')
  local known = ended[i] or seen[id]
  if known then
    reply[i + 1] = resolution(known)
  elseif not halves[i] and settings[1] ~= generation then
    reply[i + 1] = 'moved ' .. (settings[1] or '0')
  elseif not halves[i] and tonumber(messages) > room then
    reply[i + 1] = 'full'
  else
    local results, placed = append.all({ dues = dues, dedups = dedups, frames = ARGV[3 * i + 2] })
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
    reply[i + 1] = resolution(seen[id])
  end
end
resolve(keys, gone, ends)
return reply
