#!lua flags=allow-oom
-- Forget a consumer group in one queue: its progress, retries and dead letters.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; born; start:<group> -> where the group first began;
--                  lost:<group>
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
-- ARGV[2]  string  name for the life of the topic that ends, '' where only the group does
-- ARGV[3+] string  lanes of the lists, in their order
-- ARGV[last] ms    test time, '' = TIME; not used
--
-- Returns  { 'closed' }      it was there
--          { 'unknown' }     it was not; leftovers are gone all the same
--          { 'again' }       another lane holds messages; nothing changed
--          { 'other-life' }  the topic was made anew meanwhile; nothing changed
--
-- Invariant: messages stay for other groups. No list stays that only a lane of this group knew: a group that comes by the
-- same name would find in it what is not its own.

local meta, log, hold = KEYS[1], KEYS[2], KEYS[9]
local group = ARGV[1]

local destroyed, is_listed = 0, {}
local born = redis.call('HGET', meta, 'born')
if ARGV[2] ~= '' and born and born ~= ARGV[2] then return { 'other-life' } end
for i = 3, #ARGV - 1 do is_listed[ARGV[i]] = true end
for _, lane in ipairs(redis.call('HKEYS', hold)) do
  if not is_listed[lane] then return { 'again' } end
end
if redis.call('EXISTS', log) == 1 then destroyed = redis.call('XGROUP', 'DESTROY', log, group) end
redis.call('HDEL', meta, 'start:' .. group, 'lost:' .. group)
for i = 3, #KEYS do redis.call('UNLINK', KEYS[i]) end
return { destroyed == 1 and 'closed' or 'unknown' }
