#!lua flags=allow-oom
-- What is not settled, page by page, for the owner of a queue.
--
-- KEYS[1]  STREAM  log: the visible messages
-- KEYS[2]  HASH    lease: owner, token, base, until, lasts, version, loaded, nudge, held
-- KEYS[3]  HASH    lanes: lane -> its head, once that was started
-- KEYS[4]  HASH    hold: lane -> state:offset of the first:messages:since
-- KEYS[5]  HASH    parked: lane -> note
-- ARGV[1]  string  consumer group
-- ARGV[2]  string  owner
-- ARGV[3]  int     token
-- ARGV[4]  int     version
-- ARGV[5]  string  last offset of the page before, '' for the first
-- ARGV[6]  int     most entries; 1000 at most
-- ARGV[7]  ms      test time, '' = TIME
--
-- Returns  { 'page', 'last' or 'more', entries, records, holds }  records and holds with the first page
--          { 'again', offset, ... }  deliveries were in strange hands and are in ours now, but for these offsets, which were
--                                    deleted from the log; ask for the first page again
--          { 'fenced' }  not the owner; nothing changed
--          { 'gap' }     another version; nothing changed
--
--   entry = { offset, fields or '' } | record = { lane, offset, attempt, 'open' or '', 'suspect' or '', ms, history }
--   hold = { lane, state, first, messages, since, note }
--
-- Invariant: reading begins only after the last page.

local log, lease, lanes, hold, parked = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, after = ARGV[1], ARGV[5]
local ORDERED, MOST = '~ordered', 1000

local now = now_ms(ARGV[7])
local facts = redis.call('HMGET', lease, 'owner', 'token', 'version', 'base')
if facts[1] ~= ARGV[2] or facts[2] ~= ARGV[3] then return { 'fenced' } end
if facts[3] ~= ARGV[4] then return { 'gap' } end
redis.call('HLEN', lanes)
redis.call('HLEN', hold)
redis.call('HLEN', parked)

local records, holds = {}, {}
if after == '' then
  after = '0'
  for _, counted in ipairs(redis.call('XPENDING', log, group)[4] or {}) do
    if counted[1] ~= ORDERED then
      local ids = {}
      for n, pending in ipairs(redis.call('XPENDING', log, group, '-', '+', MOST, counted[1])) do ids[n] = pending[1] end
      -- What it does not find in the log is no longer pending, and nobody would hear of it.
      local found, reply = {}, { 'again' }
      for _, entry in ipairs(redis.call('XCLAIM', log, group, ORDERED, 0, unpack(ids))) do
        if entry then found[entry[1]] = true end
      end
      for _, id in ipairs(ids) do
        if not found[id] then reply[#reply + 1] = id end
      end
      return reply
    end
  end
  local listed = redis.call('HGETALL', lanes)
  for i = 1, #listed, 2 do
    local head = read_head(listed[i + 1], facts[4])
    -- A clock that was set back delays nothing for longer than was wanted.
    local left = head.at == '' and 0 or math.max(0, math.min(tonumber(head.at) - now, tonumber(head.ms)))
    records[#records + 1] = { listed[i], head.offset, whole(head.open and head.starts or head.starts + 1),
      head.open and 'open' or '', head.cuts > 0 and 'suspect' or '', whole(left), head.history }
  end
  listed = redis.call('HGETALL', hold)
  for i = 1, #listed, 2 do
    local state, first, messages, since = string.match(listed[i + 1], '^(%a+):([^:]+):(%d+):(%d+)$')
    holds[#holds + 1] = { listed[i], state, first, messages, since, redis.call('HGET', parked, listed[i]) or '' }
  end
end

local count = math.min(tonumber(ARGV[6]), MOST)
local reply = redis.call('XREADGROUP', 'GROUP', group, ORDERED, 'COUNT', count, 'STREAMS', log, after)
local entries = {}
for n, entry in ipairs(reply and reply[1][2] or {}) do entries[n] = { entry[1], entry[2] or '' } end
if #entries == count then return { 'page', 'more', entries, records, holds } end
redis.call('HSET', lease, 'loaded', '1')
return { 'page', 'last', entries, records, holds }
