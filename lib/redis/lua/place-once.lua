#!lua
-- Say by which generation messages of a committed transaction are placed that cannot go where they were meant to.
--
-- KEYS[1]  HASH    placed: id of the messages -> '<generation> <queues>'
-- ARGV[1]  bytes   id of the messages, 16 bytes
-- ARGV[2]  string  generation of the topic
-- ARGV[3]  string  its queues
-- ARGV[4]  ms      test time, '' = TIME; not used
--
-- Returns  { 'placed', generation, queues }  as asked, by this call
--          { 'known', generation, queues }   as somebody said before
--
-- Invariant: the first word counts until nobody has asked for 24 h.

local placed, id = KEYS[1], ARGV[1]
local DAY_MS = 24 * 3600 * 1000

local known = redis.call('HGET', placed, id)
if not known then redis.call('HSET', placed, id, ARGV[2] .. ' ' .. ARGV[3]) end
redis.call('PEXPIRE', placed, DAY_MS)
if not known then return { 'placed', ARGV[2], ARGV[3] } end
local generation, queues = string.match(known, '^(%d+) (%d+)$')
return { 'known', generation, queues }
