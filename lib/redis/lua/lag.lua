#!lua flags=no-writes
-- How far a consumer group is behind in one queue.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  HASH    only: offset of a redriven message -> the group it is for
-- KEYS[3]  STREAM  dead: dead letters
-- KEYS[4]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- ARGV[1]  string  consumer group
-- ARGV[2]  ms      test time, '' = TIME; not used
--
-- Returns  { undelivered or '', in flight, waiting, dead letters, oldest unsettled offset or '', held }
--          { 'no-group' }
--
-- Invariant: a number is exact or absent, but for one that is too high until trim.lua has met the group with no more than ten
-- messages left: on Redis 7.0 after it was a replica or was started from its append-only file, on every version after another
-- program deleted entries that were not delivered (XDEL). Redis cannot count past deleted entries; up to 100 are counted here.
-- What is counted is read, so that more than 64 KB of it are not.

local log, only, dead = KEYS[1], KEYS[2], KEYS[3]
local group = ARGV[1]
local COUNTED, FEW, MOST_BYTES, MOST_REDRIVEN = 100, 10, 65536, 10000

local facts = group_facts(log, group)
if not facts then return { 'no-group' } end

local delivered, undelivered = facts['last-delivered-id'], facts['lag']
if undelivered ~= 0 then
  undelivered = count_after(log, delivered, undelivered and FEW or COUNTED, MOST_BYTES) or undelivered
end
local length = redis.call('XLEN', log)
if undelivered and undelivered > length then
  local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1][1]
  undelivered = is_before(delivered, first) and length or nil
end
if undelivered and undelivered > 0 and redis.call('HLEN', only) > 0 then
  if redis.call('HLEN', only) > MOST_REDRIVEN then
    undelivered = nil
  else
    local redriven = redis.call('HGETALL', only)
    for i = 1, #redriven, 2 do
      if redriven[i + 1] ~= group and is_before(delivered, redriven[i]) then undelivered = undelivered - 1 end
    end
  end
end

local pending = redis.call('XPENDING', log, group)
local waiting = 0
for _, counted in ipairs(pending[4] or {}) do
  if counted[1] == '~waiting' then waiting = tonumber(counted[2]) end
end
return {
  undelivered and whole(undelivered) or '',
  whole(pending[1] - waiting),
  whole(waiting),
  whole(redis.call('XLEN', dead)),
  pending[2] or '',
  redis.call('HGET', KEYS[4], 'held') or '0',
}
