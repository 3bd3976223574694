#!lua flags=allow-oom
-- Drop halves, and refuse those that arrive later.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; reserved: messages in halves
-- KEYS[2]  HASH    half: transaction id -> facts and frames (halves.lua)
-- KEYS[3]  ZSET    checks: transaction id by when its owner is asked about it (Unix ms)
-- KEYS[4]  ZSET    parkedHalves: transaction id by when it was parked (Unix ms)
-- KEYS[5]  HASH    done: transaction id -> what became of it
-- ARGV[1]  bytes   transaction ids, 16 bytes each; 500 at most
-- ARGV[2]  ms      test time, '' = TIME; not used
--
-- Returns  { ids, answer, ... }  the ids as they came, and for each one (see `replying` in halves.lua):
--   rolled-back             now or before
--   committed <results>     decided before; nothing changed
--
-- Invariant: a half that was rolled back is never appended, and never prepared again.

local keys = { meta = KEYS[1], half = KEYS[2], checks = KEYS[3], parked_halves = KEYS[4], done = KEYS[5] }
local ids = split_ids(ARGV[1])

local ended, halves = redis.call('HMGET', keys.done, unpack(ids)), redis.call('HMGET', keys.half, unpack(ids))
redis.call('HLEN', keys.meta)
redis.call('ZCARD', keys.checks)
redis.call('ZCARD', keys.parked_halves)

local reply, gone, ends, seen = replying(ARGV[1]), { ids = {}, messages = 0 }, {}, {}
for i, id in ipairs(ids) do
  reply.add(ended[i] and resolution(ended[i]) or 'rolled-back')
  if not ended[i] and not seen[id] then
    seen[id] = true
    ends[#ends + 1] = id
    ends[#ends + 1] = 'r'
    if halves[i] then
      local facts = facts_of(halves[i])
      gone.ids[#gone.ids + 1] = id
      gone.messages = gone.messages + facts.messages
      gone.parked = gone.parked or facts.parked ~= '-'
    end
  end
end
resolve(keys, gone, ends)
return reply.all()
