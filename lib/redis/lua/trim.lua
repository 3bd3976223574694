#!lua flags=allow-oom
-- Drop messages older than the retention, never one that a group has not settled.
--
-- Also tells Redis again how much a group was given, where ten messages or fewer (64 KB) are left: replicas of version 7.0, and a
-- server that starts from its append-only file, have not counted what was read.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; start:<group> -> where the group first began
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  HASH    only: offset of a redriven message -> the group it is for
-- ARGV[1]  int     most messages to drop
-- ARGV[2]  ms      test time, '' = TIME
--
-- Returns  { removed }  number
--
-- Invariant: for every group, the log reaches back to its first pending delivery, or, when there is none, to the one
-- after the last delivered. For a group that was lost, to where it first began: there it will go on.

local meta, log, only = KEYS[1], KEYS[2], KEYS[3]
local limit = math.max(tonumber(ARGV[1]), 1)
local SWEPT, FEW, MOST_BYTES = 100, 10, 65536

local now = now_ms(ARGV[2])
local retention, starts = nil, {}
local facts = redis.call('HGETALL', meta)
for i = 1, #facts, 2 do
  local group = string.match(facts[i], '^start:(.*)$')
  if group then starts[group] = facts[i + 1] end
  if facts[i] == 'retentionMs' then retention = tonumber(facts[i + 1]) end
end
redis.call('HLEN', only)
if not retention or redis.call('XLEN', log) == 0 then return { '0' } end

local function after(offset)
  local ms, seq = string.match(offset, '^(%d+%-)(%d+)$')
  return #seq < 15 and ms .. whole(tonumber(seq) + 1) or offset
end

local function recount(group)
  if group['lag'] == 0 then return end
  local delivered = group['last-delivered-id']
  local left = count_after(log, delivered, FEW, MOST_BYTES)
  if not left or left == group['lag'] then return end
  local added = named(redis.call('XINFO', 'STREAM', log))['entries-added']
  redis.call('XGROUP', 'SETID', log, group['name'], delivered, 'ENTRIESREAD', whole(added - left))
end

local floor = whole(math.max(now - retention, 0)) .. '-0'
for _, listed in ipairs(redis.call('XINFO', 'GROUPS', log)) do
  local facts = named(listed)
  local keep = after(facts['last-delivered-id'])
  if facts['pending'] > 0 then keep = redis.call('XPENDING', log, facts['name'])[2] end
  if is_before(keep, floor) then floor = keep end
  starts[facts['name']] = nil
  recount(facts)
end
for _, start in pairs(starts) do
  if is_before(after(start), floor) then floor = after(start) end
end

-- Whole nodes of the stream first. What is left below the floor then lies within one node, unless the limit stopped
-- it, and is few enough to be counted.
local before = redis.call('XLEN', log)
redis.call('XTRIM', log, 'MINID', '~', floor, 'LIMIT', limit)
local budget = limit - (before - redis.call('XLEN', log))
if budget > 0 then
  budget = math.min(budget, 128)
  local rest = #redis.call('XRANGE', log, '-', '(' .. floor, 'COUNT', budget + 1)
  if rest > budget then
    redis.call('XTRIM', log, 'MAXLEN', redis.call('XLEN', log) - budget)
  elseif rest > 0 then
    redis.call('XTRIM', log, 'MINID', floor)
  end
end

if redis.call('HLEN', only) > 0 then
  for _, offset in ipairs(redis.call('HRANDFIELD', only, SWEPT)) do
    if is_before(offset, floor) then redis.call('HDEL', only, offset) end
  end
end
return { whole(before - redis.call('XLEN', log)) }
