#!lua flags=allow-oom
-- Ask about halves later.
--
-- KEYS[1]  HASH    meta: ~clock (steady.lua)
-- KEYS[2]  HASH    half: transaction id -> facts and frames (halves.lua)
-- KEYS[3]  ZSET    checks: transaction id by when its owner is asked about it (Unix ms)
-- KEYS[4]  HASH    done: transaction id -> what became of it
-- ARGV[1]  bytes   transaction ids, 16 bytes each; 500 at most
-- ARGV[2]  string  for each one and a space between: '<ms from now>', and a '!' when somebody was asked and did not know
-- ARGV[3]  ms      test time, '' = TIME
--
-- Returns  { ids, answer, ... }  the ids as they came, and for each one (see `replying` in halves.lua):
--   extended | parked | unknown | committed <results> | rolled-back; only the first changes anything
--
-- Invariant: a check is counted only when it was answered.

local meta, half, checks, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ids = split_ids(ARGV[1])

local ended, halves = redis.call('HMGET', done, unpack(ids)), redis.call('HMGET', half, unpack(ids))
redis.call('ZCARD', checks)

local reply, i, now = replying(ARGV[1]), 0, nil
for after, answered in string.gmatch(ARGV[2], '(%d+)(!?)') do
  i = i + 1
  local facts = not ended[i] and halves[i] and facts_of(halves[i])
  if ended[i] then
    reply.add(resolution(ended[i]))
  elseif not facts then
    reply.add('unknown')
  elseif facts.parked ~= '-' then
    reply.add('parked')
  else
    now = now or steady_ms(meta, now_ms(ARGV[3]), true)
    redis.call('ZADD', checks, whole(now + tonumber(after)), ids[i])
    if answered == '!' then
      facts.checks = whole(tonumber(facts.checks) + 1)
      redis.call('HSET', half, ids[i], half_of(facts))
    end
    reply.add('extended')
  end
end
return reply.all()
