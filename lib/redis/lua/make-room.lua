#!lua
-- Drop messages from the front of a full queue, so that new ones fit.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; start:<group> -> where the group first began
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  HASH    only: offset of a redriven message -> the group it is for
-- KEYS[4+] any     four per group: retry, suspects, attempts, dead
-- ARGV[1]  int     most messages to drop; 1 000 at most
-- ARGV[2]  string  'settled' = only what every group has settled; 'oldest' = others, too
-- ARGV[3]  string  beginning of a dead letter's note; attempts and history follow
-- ARGV[4+] string  two per group: its name and mode
-- ARGV[last] ms    test time, '' = TIME
--
-- Returns  { 'made', dropped, dead letters }
--          { 'groups-changed', group }  it is there and not listed; nothing changed
--
-- Invariant: a message that a group had not settled becomes its dead letter in the same step, unless its mode is
-- 'stranger': nobody would look there. What an ordered group has in hand stays, and all behind it: its lanes would not know.

local meta, log, only = KEYS[1], KEYS[2], KEYS[3]
local count, drop, note = math.min(tonumber(ARGV[1]), 1000), ARGV[2], ARGV[3]
local test_time = ARGV[#ARGV]

local groups = {}
for i = 4, #ARGV - 1, 2 do
  local k = 4 + (i - 4) * 2
  local start = redis.call('HGET', meta, 'start:' .. ARGV[i])
  groups[ARGV[i]] = { mode = ARGV[i + 1], position = start, retry = KEYS[k], suspects = KEYS[k + 1],
    attempts = KEYS[k + 2], dead = KEYS[k + 3] }
  for _, key in ipairs({ { 'ZCARD', k }, { 'ZCARD', k + 1 }, { 'HLEN', k + 2 }, { 'XLEN', k + 3 } }) do
    redis.call(key[1], KEYS[key[2]])
  end
end
redis.call('HLEN', only)
if redis.call('XLEN', log) == 0 then return { 'made', '0', '0' } end
for _, listed in ipairs(redis.call('XINFO', 'GROUPS', log)) do
  local facts = named(listed)
  local group = groups[facts['name']]
  if not group then return { 'groups-changed', facts['name'] } end
  group.is_open, group.position = true, facts['last-delivered-id']
  if facts['pending'] > 0 then group.first_pending = redis.call('XPENDING', log, facts['name'])[2] end
end

-- Of a message: whether the group has settled it, or not seen it, or has it in hand.
local function state(group, offset)
  if not group.position then return 'settled' end
  if is_before(group.position, offset) then return 'unseen' end
  if not group.first_pending or is_before(offset, group.first_pending) then return 'settled' end
  return 'perhaps in hand'
end

local dropped, has_groups = {}, next(groups) ~= nil
for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', count)) do
  local stays = drop == 'settled' and not has_groups
  for _, group in pairs(groups) do
    local found = state(group, entry[1])
    if found ~= 'settled' and (drop == 'settled' or (group.mode == 'ordered' and found ~= 'unseen')) then stays = true end
  end
  if stays then break end
  dropped[#dropped + 1] = entry
end
if #dropped == 0 then return { 'made', '0', '0' } end

local dead_letters = 0
local function give_up(group, entry, starts, history)
  local text = note .. ',"attempts":' .. starts .. ',"history":' .. (history ~= '' and history or '[]') .. '}'
  redis.call('XADD', group.dead, next_id(group.dead, test_time), 'n', text, 'f', entry[1], unpack(storable(entry[2])))
  dead_letters = dead_letters + 1
end
for _, entry in ipairs(dropped) do
  local offset, addressee = entry[1], nil
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'o' then addressee = entry[2][i + 1] end
  end
  for name, group in pairs(groups) do
    local found = state(group, offset)
    local is_for = group.mode ~= 'stranger' and (not addressee or addressee == name)
    if found == 'unseen' and is_for then
      give_up(group, entry, '0', '')
    elseif found == 'perhaps in hand' and #redis.call('XPENDING', log, name, offset, offset, 1) > 0 then
      local record = redis.call('HGET', group.attempts, offset) or '1:0:0:'
      local starts, history = string.match(record, '^(%d+):%d+:%d:(.*)$')
      if is_for then give_up(group, entry, starts, history) end
      redis.call('XACK', log, name, offset)
      redis.call('HDEL', group.attempts, offset)
      redis.call('ZREM', group.retry, offset)
      redis.call('ZREM', group.suspects, offset)
    end
  end
  redis.call('HDEL', only, offset)
end

local left, last = redis.call('XLEN', log) - #dropped, dropped[#dropped][1]
redis.call('XTRIM', log, 'MAXLEN', left)
local info = redis.call('XINFO', 'STREAM', log)
local added = 0
for i = 1, #info, 2 do
  if info[i] == 'entries-added' then added = info[i + 1] end
end
-- The lag of those that had not come that far would count what is gone.
for name, group in pairs(groups) do
  if group.is_open and is_before(group.position, last) then
    redis.call('XGROUP', 'SETID', log, name, last, 'ENTRIESREAD', whole(added - left))
  end
end
return { 'made', whole(#dropped), whole(dead_letters) }
