#!lua flags=allow-oom
-- What is left in a queue, for an ordered group, of what was sent before a generation of the topic?
--
-- KEYS[1]  HASH    meta: parent: where its message groups were before; seal:<generation> -> the last offset before it
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  HASH    scheduled: message id -> frame
-- KEYS[4]  HASH    half: transaction id -> facts and frames (halves.lua)
-- KEYS[5]  SET     before: ids of halves, and of scheduled messages with a group, that are older than the last generation
-- KEYS[6]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held, gate
-- KEYS[7]  HASH    hold: lane -> state:offset of the first:messages:since
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  generation
-- ARGV[3]  ms      test time, '' = TIME; not used
--
-- Returns  { 'waits', for }  'gate': it waits for another queue itself; 'scheduled', 'half': for these; 'unread': nobody
--                            was given all of it; 'pending': more than 100 deliveries
--          { 'left', token, entries, lanes }  what is delivered and not settled, and which lanes hold messages (a name,
--                            'parked' or 'open', the next name, ...); with the token of its last owner
--
-- Invariant: what was hidden at the seal and became visible later is waited for as well: the seal moves behind it. A queue
-- that was lost with its seal, and opened anew, is sealed where it ends now: nobody is left who would do it otherwise.

local meta, log, before = KEYS[1], KEYS[2], KEYS[5]
local group, field = ARGV[1], 'seal:' .. ARGV[2]

local facts = redis.call('HMGET', meta, field, 'parent', 'generation')
local lease = redis.call('HMGET', KEYS[6], 'token', 'gate')
local delivered = (group_facts(log, group) or {})['last-delivered-id']
local hidden = redis.call('SRANDMEMBER', before, 100)
if not facts[1] and delivered and tonumber(facts[3] or 0) >= tonumber(ARGV[2]) then
  facts[1] = named(redis.call('XINFO', 'STREAM', log))['last-generated-id']
  redis.call('HSET', meta, field, facts[1])
end
if not facts[1] or not delivered then return { 'waits', 'unread' } end
if facts[2] and not lease[2] then return { 'waits', 'gate' } end

local seal = facts[1]
for _, id in ipairs(hidden) do
  if redis.call('HEXISTS', KEYS[3], id) == 1 then return { 'waits', 'scheduled' } end
  if redis.call('HEXISTS', KEYS[4], id) == 1 then return { 'waits', 'half' } end
end
if redis.call('SCARD', before) > #hidden then
  redis.call('SREM', before, unpack(hidden))
  return { 'waits', 'unread' }
end
if #hidden > 0 then
  seal = named(redis.call('XINFO', 'STREAM', log))['last-generated-id']
  -- Every generation since may have waited for it.
  for _, name in ipairs(redis.call('HKEYS', meta)) do
    if string.sub(name, 1, 5) == 'seal:' then redis.call('HSET', meta, name, seal) end
  end
  redis.call('UNLINK', before)
end

if is_before(delivered, seal) and #redis.call('XRANGE', log, '(' .. delivered, seal, 'COUNT', 1) > 0 then
  return { 'waits', 'unread' }
end
local pending = redis.call('XPENDING', log, group, '-', seal, 101)
if #pending > 100 then return { 'waits', 'pending' } end
local entries, lanes = {}, {}
for i, one in ipairs(pending) do
  local found = redis.call('XRANGE', log, one[1], one[1])
  entries[i] = found[1] or { one[1], false }
end
local held = redis.call('HGETALL', KEYS[7])
for i = 1, #held, 2 do
  local hold = read_hold(held[i + 1])
  if not is_before(seal, hold.first) then
    lanes[#lanes + 1] = held[i]
    lanes[#lanes + 1] = hold.state
  end
end
return { 'left', lease[1] or '0', entries, lanes }
