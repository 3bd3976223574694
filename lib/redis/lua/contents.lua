#!lua flags=no-writes
-- What stands at some offsets of a queue.
--
-- KEYS[1]  STREAM  log: the visible messages
-- ARGV[1]  string  offsets, a space between
-- ARGV[2]  ms      test time, '' = TIME; not used
--
-- Returns  { entry, entry, ... }  one for each offset, in their order
--
--   entry = { offset, fields or '' }
--
-- Invariant: what stands at an offset never changes; it can only go.

local log = KEYS[1]

local entries = {}
for offset in string.gmatch(ARGV[1], '%S+') do
  local found = redis.call('XRANGE', log, offset, offset)[1]
  entries[#entries + 1] = { offset, found and found[2] or '' }
end
return entries
