#!lua
-- Append a dead letter to its queue again, for its group only, and remove it.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  HASH    only: offset of a redriven message -> the group it is for
-- KEYS[3]  STREAM  dead: dead letters
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  id of the dead letter
-- ARGV[3]  ms      test time, '' = TIME
--
-- Returns  { 'redriven', offset }
--          { 'gone' }              it is not there (any more), or holds no message; nothing changed
--
-- Invariant: a dead letter is redriven once.

local log, only, dead = KEYS[1], KEYS[2], KEYS[3]
local group, id, test_time = ARGV[1], ARGV[2], ARGV[3]

local entry = redis.call('XRANGE', dead, id, id)[1]
redis.call('XLEN', log)
redis.call('HLEN', only)
-- The first four are the note and the old offset.
if not entry or #entry[2] <= 4 then return { 'gone' } end

local fields = {}
for i = 5, #entry[2], 2 do
  if entry[2][i] ~= 'o' then
    fields[#fields + 1] = entry[2][i]
    fields[#fields + 1] = entry[2][i + 1]
  end
end
fields[#fields + 1] = 'o'
fields[#fields + 1] = group

local offset = redis.call('XADD', log, next_id(log, test_time), unpack(fields))
redis.call('HSET', only, offset, group)
redis.call('XDEL', dead, id)
return { 'redriven', offset }
