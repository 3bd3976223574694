#!lua flags=allow-oom
-- Leave halves to the operator: nobody is asked about them any more.
--
-- KEYS[1]  HASH    half: transaction id -> facts and frames (halves.lua)
-- KEYS[2]  ZSET    checks: transaction id by when its owner is asked about it (Unix ms)
-- KEYS[3]  ZSET    parkedHalves: transaction id by when it was parked (Unix ms)
-- KEYS[4]  HASH    done: transaction id -> what became of it
-- ARGV[1]  bytes   transaction ids, 16 bytes each; 500 at most
-- ARGV[2]  string  for each one why, percent-encoded, and a space between
-- ARGV[3]  ms      test time, '' = TIME
--
-- Returns  { ids, answer, ... }  the ids as they came, and for each one (see `replying` in halves.lua):
--   parked                  now or before
--   unknown | committed <results> | rolled-back; nothing changed
--
-- Invariant: a parked half keeps its messages and its room until it is committed or rolled back.

local half, checks, parked_halves, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ids = split_ids(ARGV[1])

local now = whole(now_ms(ARGV[3]))
local ended, halves = redis.call('HMGET', done, unpack(ids)), redis.call('HMGET', half, unpack(ids))
redis.call('ZCARD', checks)
redis.call('ZCARD', parked_halves)

local reply, i = replying(ARGV[1]), 0
for why in string.gmatch(ARGV[2], '%S+') do
  i = i + 1
  local facts = not ended[i] and halves[i] and facts_of(halves[i])
  if ended[i] then
    reply.add(resolution(ended[i]))
  elseif not facts then
    reply.add('unknown')
  else
    if facts.parked == '-' then
      facts.parked = why
      redis.call('HSET', half, ids[i], half_of(facts))
      redis.call('ZADD', parked_halves, now, ids[i])
      redis.call('ZREM', checks, ids[i])
    end
    reply.add('parked')
  end
end
return reply.all()
