#!lua
-- Move an ordered consumer group to another place in one queue.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; start:<group> -> where the group first began
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held, gate
-- KEYS[4]  HASH    lanes: lane -> its head, once that was started
-- KEYS[5]  HASH    hold: lane -> state:offset of the first:messages:since
-- KEYS[6]  HASH    parked: lane -> note
-- KEYS[7+] LIST    held: messages of one lane: offset, space, packed fields
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  offset behind which it goes on, or 'latest'
-- ARGV[3+] string  lanes of the lists, in their order
-- ARGV[last] ms    test time, '' = TIME
--
-- Returns  { 'moved' }
--          { 'no-group' }  nothing changed
--          { 'again' }     another lane holds messages; nothing changed
--
-- Invariant: nobody owns the queue now, so that nothing of an earlier owner counts. What was in hand, waited or was held
-- is forgotten: every message behind the place is handed out as if for the first time, and none before it. Only what the
-- log has no more stays held, in its lane, which is open: it comes before all that the log has. Dead letters stay. A
-- queue that was added waits for the one before it again.

local meta, log, lease, lanes, hold, parked = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local group, to = ARGV[1], ARGV[2]
local FIRST_LIST, MOST = 6, 1000

local now = now_ms(ARGV[#ARGV])
redis.call('HEXISTS', meta, 'generation')
redis.call('HEXISTS', lease, 'owner')
redis.call('HLEN', lanes)
redis.call('HLEN', parked)
if not group_facts(log, group) then return { 'no-group' } end
local info = named(redis.call('XINFO', 'STREAM', log))
if to == 'latest' then to = info['last-generated-id'] end
local oldest = info['first-entry'] and info['first-entry'][1]
local key_of = {}
for i = 3, #ARGV - 1 do key_of[ARGV[i]] = KEYS[FIRST_LIST + i - 2] end
for _, lane in ipairs(redis.call('HKEYS', hold)) do
  if not key_of[lane] then return { 'again' } end
end

-- How many elements of a list, which stands in order, are before the first one for which `is_behind` is true.
local function count_before(list, is_behind)
  local from, up_to = 0, redis.call('LLEN', list)
  while from < up_to do
    local middle = math.floor((from + up_to) / 2)
    local offset = read_element(redis.call('LINDEX', list, middle))
    if is_behind(offset) then up_to = middle else from = middle + 1 end
  end
  return from
end
local kept = {}
for lane, list in pairs(key_of) do
  local skipped = count_before(list, function(offset) return is_before(to, offset) end)
  local gone = count_before(list, function(offset) return oldest and not is_before(offset, oldest) end)
  if gone > skipped then kept[lane] = redis.call('LRANGE', list, skipped, gone - 1) end
end

redis.call('XGROUP', 'DESTROY', log, group)
redis.call('XGROUP', 'CREATE', log, group, to)
redis.call('HSET', meta, 'start:' .. group, to)
redis.call('UNLINK', lanes, hold, parked)
local held = 0
for lane, list in pairs(key_of) do
  redis.call('UNLINK', list)
  local elements = kept[lane] or {}
  for from = 1, #elements, MOST do
    redis.call('RPUSH', list, unpack(elements, from, math.min(from + MOST - 1, #elements)))
  end
  if #elements > 0 then
    local first = read_element(elements[1])
    redis.call('HSET', hold, lane,
      write_hold({ state = 'open', first = first, messages = #elements, since = whole(now) }))
    held = held + #elements
  end
end
redis.call('HSET', lease, 'owner', '', 'until', '0', 'loaded', '0', 'held', whole(held))
redis.call('HDEL', lease, 'gate')
return { 'moved' }
