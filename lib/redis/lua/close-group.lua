#!lua flags=allow-oom
-- Forget a consumer group in one queue: its progress, retries and dead letters.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; start:<group> -> where the group first began
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  ZSET    retry: offset by when it is visible again (Unix ms)
-- KEYS[4]  ZSET    suspects: likewise, what was in hand when a consumer died
-- KEYS[5]  HASH    attempts: offset -> starts:cuts:solo:history
-- KEYS[6]  STREAM  dead: dead letters
-- KEYS[7]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- KEYS[8]  HASH    lanes: lane -> its head, once that was started
-- KEYS[9]  HASH    hold: lane -> state:offset of the first:messages:since
-- KEYS[10] HASH    parked: lane -> note
-- KEYS[11+] LIST   held: messages of one lane: offset, space, packed fields
-- ARGV[1]  string  consumer group
-- ARGV[2]  ms      test time, '' = TIME; not used
--
-- Returns  { 'closed' }   it was there
--          { 'unknown' }  it was not; leftovers are gone all the same
--
-- Invariant: messages stay for other groups.

local meta, log = KEYS[1], KEYS[2]
local group = ARGV[1]

local destroyed = 0
redis.call('HEXISTS', meta, 'generation')
if redis.call('EXISTS', log) == 1 then destroyed = redis.call('XGROUP', 'DESTROY', log, group) end
redis.call('HDEL', meta, 'start:' .. group)
for i = 3, #KEYS do redis.call('UNLINK', KEYS[i]) end
return { destroyed == 1 and 'closed' or 'unknown' }
