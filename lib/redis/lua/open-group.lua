#!lua flags=allow-oom
-- Make a consumer group known in one queue.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; start:<group> -> where the group first began; parent;
--                  lost:<group>, when the queue was lost with the group
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  ZSET    retry: offset by when it is visible again (Unix ms)
-- KEYS[4]  ZSET    suspects: likewise, what was in hand when a consumer died
-- KEYS[5]  HASH    attempts: offset -> starts:cuts:solo:history
-- KEYS[6]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- KEYS[7]  HASH    lanes: lane -> its head, once that was started
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  where it begins if it is new: 'earliest', 'latest' or Unix ms
-- ARGV[3]  string  'known' when the group is not new to the topic, else 'new'
-- ARGV[4]  ms      test time, '' = TIME; not used
--
-- Returns  { 'created' }    it begins where it was told to
--          { 'present' }    it was there and stays where it is
--          { 'recreated' }  it had been there and was lost; it goes on from where it first began, or from the first message if that
--                           was lost, too
--          { 'no-queue' }   the queue does not exist; nothing changed
--
-- Invariant: a group never skips what was published after it first began, also in queues that were added since. What waited when it was lost is handed out
-- again as if for the first time; the owner of an ordered queue finds that it is no longer the owner.

local meta, log = KEYS[1], KEYS[2]
local group, from = ARGV[1], ARGV[2]

local field, lost = 'start:' .. group, 'lost:' .. group
local facts = redis.call('HMGET', meta, 'generation', field, 'parent', lost)
if not facts[1] then return { 'no-queue' } end
local start = facts[2]
local first_time = not start
local was_lost = first_time and facts[4] and ARGV[3] == 'known'
if first_time then
  start = '0-0'
  if facts[3] and ARGV[3] == 'known' or was_lost and from == 'latest' then from = 'earliest' end
  if from == 'latest' and redis.call('EXISTS', log) == 1 then
    local info = redis.call('XINFO', 'STREAM', log)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then start = info[i + 1] end
    end
  elseif tonumber(from) and tonumber(from) > 0 then
    -- A group begins after its start: the last possible offset before that time.
    start = whole(tonumber(from) - 1) .. '-18446744073709551615'
  end
end

redis.call('HLEN', KEYS[6])
local made = redis.pcall('XGROUP', 'CREATE', log, group, start, 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
if first_time then redis.call('HSET', meta, field, start) end
if facts[4] then redis.call('HDEL', meta, lost) end
if made.err then return { 'present' } end
redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[5], KEYS[7])
if redis.call('EXISTS', KEYS[6]) == 1 then redis.call('HSET', KEYS[6], 'owner', '', 'until', '0') end
return { first_time and not was_lost and 'created' or 'recreated' }
