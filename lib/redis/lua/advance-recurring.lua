#!lua
-- One time of a recurring send is done; set the next.
--
-- KEYS[1]  HASH    recurring: name -> next time (Unix ms), a space, definition
-- ARGV[1]  string  name
-- ARGV[2]  ms      the time that is done, Unix ms
-- ARGV[3]  ms      the next time, Unix ms
-- ARGV[4]  ms      test time, '' = TIME; not used
--
-- Returns  { 'advanced' }
--          { 'other' }  its next time is another one by now, or it is gone; nothing changed
--
-- Invariant: of several who are done with one time, one sets the next: none is skipped.

local recurring = KEYS[1]
local name, from, to = ARGV[1], ARGV[2], ARGV[3]

local text = redis.call('HGET', recurring, name)
local at, definition = string.match(text or '', '^(%d+) (.*)$')
if at ~= from then return { 'other' } end
redis.call('HSET', recurring, name, to .. ' ' .. definition)
return { 'advanced' }
