#!lua flags=allow-oom
-- Ask about halves at once, also about parked ones.
--
-- KEYS[1]  HASH    meta: ~clock (steady.lua)
-- KEYS[2]  HASH    half: transaction id -> facts and frames (halves.lua)
-- KEYS[3]  ZSET    checks: transaction id by when its owner is asked about it (Unix ms)
-- KEYS[4]  ZSET    parkedHalves: transaction id by when it was parked (Unix ms)
-- KEYS[5]  HASH    done: transaction id -> what became of it
-- ARGV[1]  bytes   transaction ids, 16 bytes each; 500 at most
-- ARGV[2]  ms      test time, '' = TIME
--
-- Returns  { ids, answer, ... }  the ids as they came, and for each one (see `replying` in halves.lua):
--   extended                it is due now, and its checks are counted anew
--   unknown | committed <results> | rolled-back; nothing changed
--
-- Invariant: a half waits for its owner or for the operator, never for both.

local meta, half, checks, parked_halves, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local ids = split_ids(ARGV[1])

local ended, halves = redis.call('HMGET', done, unpack(ids)), redis.call('HMGET', half, unpack(ids))
redis.call('ZCARD', checks)
redis.call('ZCARD', parked_halves)

local reply, now = replying(ARGV[1]), nil
for i, id in ipairs(ids) do
  local facts = not ended[i] and halves[i] and facts_of(halves[i])
  if ended[i] then
    reply.add(resolution(ended[i]))
  elseif not facts then
    reply.add('unknown')
  else
    facts.parked, facts.checks = '-', '0'
    redis.call('HSET', half, id, half_of(facts))
    redis.call('ZREM', parked_halves, id)
    now = now or whole(steady_ms(meta, now_ms(ARGV[2]), true))
    redis.call('ZADD', checks, now, id)
    reply.add('extended')
  end
end
return reply.all()
