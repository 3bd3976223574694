#!lua
-- Append a run of messages to a queue, or answer what became of it when it is a repeat.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; reserved: messages in halves
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  HASH    sessions: session -> epoch;last number;last use;known since;server;here since;remembered replies
-- KEYS[4]  HASH    scheduled: message id -> frame
-- KEYS[5]  ZSET    due: message id by when it becomes visible (Unix ms)
-- KEYS[6+] STRING  dedup records this run asks for
-- ARGV[1]  string  generation the producer routed by
-- ARGV[2]  string  session
-- ARGV[3]  int     epoch
-- ARGV[4]  int     number of this call in its epoch, from 1
-- ARGV[5]  string  dues, one per frame and a space between: '-', '+<ms from now>' or '@<Unix ms>'; '' = all '-'
-- ARGV[6]  string  dedups, likewise: '-' or the place of its record among KEYS[6+], from 1; '' = all '-'
-- ARGV[7+] bytes   frames (core/message/wire-format.ts)
-- ARGV[last] ms    test time, '' = TIME
--
-- Returns  { 'appended', results }  stored now
--          { 'repeat', results }    stored before; these are the results of that time
--          { 'moved', generation }  the topic changed ('0': no such queue); nothing changed
--          { 'full', room, when }   not all of these fit; nothing changed. when: as 'whenFull' of the topic says
--          { 'forgotten' }          carried out before, too long ago to say with what result; nothing changed
--          { 'fenced' }             a newer epoch has begun; nothing changed
--          { 'gap' }                an earlier call is missing; nothing changed
--          { 'new-session' }        unknown session, and not its first call; nothing changed
--
--   results = one word group per entry, commas between; equal neighbours are counted:
--     stored <first offset> <count> | scheduled <Unix ms> 1 | duplicate <id in hex>/<offset or -> 1
--
-- Invariant: (session, epoch, number) appends at most once, and never after a newer epoch was seen.

local meta, log, sessions, scheduled, due = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local generation, session, epoch, number = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local dues, dedups, test_time = ARGV[5], ARGV[6], ARGV[#ARGV]
-- Lua hashes all of a string that it makes: cut out of one argument, each frame would be made twice.
local FIRST, LAST = 7, #ARGV - 1
-- Of five remembered replies, the latest first, the four that stay.
local STAY = '^[^|]*|[^|]*|[^|]*|[^|]*'
local UNUSED_MS = 24 * 3600 * 1000
local HIGHEST_ID = '18446744073709551615-18446744073709551615'

local now = now_ms(test_time)
local known = redis.call('HGET', sessions, session)
local at_epoch, last, origin, remembered
if known then
  local use
  at_epoch, last, use, origin, remembered = string.match(known, '^(%d+);(%d+);(%d+);(%d+;%x*;%d+);(.*)$')
  last = tonumber(last)
  if now - tonumber(use) > UNUSED_MS then known = nil end
end
if not known then at_epoch, last, origin, remembered = '', 0, nil, '' end
local function state(to_epoch, to_number, replies)
  origin = origin or epoch .. ';' .. server_run() .. ';' .. epoch
  return to_epoch .. ';' .. to_number .. ';' .. whole(now) .. ';' .. origin .. ';' .. replies
end

-- A repeat comes first: it was stored, whatever became of the topic since.
if epoch == at_epoch and tonumber(number) <= last then
  local mark = epoch .. ':' .. number .. '='
  for reply in string.gmatch(remembered, '[^|]+') do
    if string.sub(reply, 1, #mark) == mark then
      -- A write, so that a WAIT behind it waits for something.
      redis.call('HSET', sessions, session, state(at_epoch, whole(last), remembered))
      return { 'repeat', string.sub(reply, #mark + 1) }
    end
  end
  return { 'forgotten' }
end

-- What few calls need is asked for where they do: each field is a part of what a short call costs.
local settings = redis.call('HMGET', meta, 'generation', 'maxLength')
if settings[1] ~= generation then return { 'moved', settings[1] or '0' } end
local max_length = tonumber(settings[2])

if known and tonumber(epoch) < tonumber(at_epoch) then return { 'fenced' } end
local expected = epoch == at_epoch and last + 1 or 1
if tonumber(number) ~= expected then return { known and 'gap' or 'new-session' } end

-- Reading each key before the first write finds those of a wrong type while nothing has changed.
local each_due, each_dedup, record, window, born
if dues ~= '' then
  -- Without a due it is the first XADD that fails in a log that takes no more ids, and nothing was written before.
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if newest and newest[1] == HIGHEST_ID then
    return redis.error_reply('ERR The stream has exhausted the last possible ID')
  end
  redis.call('ZCARD', due)
  redis.call('HLEN', scheduled)
  each_due = string.gmatch(dues, '[^ ]+')
end
if dedups ~= '' then
  each_dedup, record = string.gmatch(dedups, '[^ ]+'), {}
  window, born = unpack(redis.call('HMGET', meta, 'dedupWindowMs', 'born'))
  window = tonumber(window)
  for i = 6, #KEYS do
    local stored = redis.call('GET', KEYS[i])
    if stored then
      local life, until_ms, original = string.match(stored, '^(%S+) (%d+) (.*)$')
      if life == born and tonumber(until_ms) > now then record[i - 5] = original end
    end
  end
end

if max_length then
  local reserved, when = unpack(redis.call('HMGET', meta, 'reserved', 'whenFull'))
  local room = max_length - redis.call('XLEN', log) - redis.call('ZCARD', due) - tonumber(reserved or 0)
  local places, wanted = string.gmatch(dedups, '[^ ]+'), 0
  for _ = FIRST, LAST do
    local place = places()
    if not place or not record[tonumber(place)] then wanted = wanted + 1 end
  end
  if wanted > room then return { 'full', whole(math.max(room, 0)), when or 'reject' } end
end

local reply
if dues == '' and dedups == '' and FIRST == LAST then
  -- What follows makes four functions, which cost a single message more than all it needs.
  reply = 'stored ' .. redis.call('XADD', log, next_id(log, test_time), 'rv', ARGV[FIRST]) .. ' 1'
else
  local results, word, detail, count = {}, nil, nil, 0
  local function flush()
    if word then results[#results + 1] = word .. ' ' .. detail .. ' ' .. count end
  end
  local function note(new_word, new_detail)
    flush()
    word, detail, count = new_word, new_detail, 1
  end

  -- The first id of a run says the others: '<ms>-*' makes Redis count on from it. Cheaper than building each id here.
  local call, sub = redis.call, string.sub
  local next_one, counts_on = next_id(log, test_time), false
  local function store(frame)
    local id = call('XADD', log, next_one, 'rv', frame)
    if counts_on and word == 'stored' then
      count = count + 1
    else
      note('stored', id)
    end
    if not counts_on then
      local ms, seq = string.match(id, '^(%d+%-)(%d+)$')
      -- Another program may have written ids that leave no room to count on.
      if #seq < 15 then next_one, counts_on = ms .. '*', true end
    end
    return id
  end

  for i = FIRST, LAST do
    local frame = ARGV[i]

    local when, place = each_due and each_due() or '-', each_dedup and tonumber(each_dedup())
    local visible_at = now
    if when ~= '-' then
      visible_at = tonumber(sub(when, 2))
      if sub(when, 1, 1) == '+' then visible_at = visible_at + now end
    end

    if place and record[place] then
      note('duplicate', record[place])
    else
      local offset = '-'
      if visible_at > now then
        local id = sub(frame, 2, 17)
        call('HSET', scheduled, id, frame)
        call('ZADD', due, whole(visible_at), id)
        note('scheduled', whole(visible_at))
      else
        offset = store(frame)
      end
      if place then
        local hex = string.gsub(sub(frame, 2, 17), '.', function(byte)
          return string.format('%02x', string.byte(byte))
        end)
        record[place] = hex .. '/' .. offset
        local value = born .. ' ' .. whole(now + window) .. ' ' .. record[place]
        call('SET', KEYS[5 + place], value, 'PX', whole(window))
      end
    end
  end
  flush()
  reply = table.concat(results, ',')
end

local replies = epoch .. ':' .. number .. '=' .. reply
if remembered ~= '' then replies = replies .. '|' .. (string.match(remembered, STAY) or remembered) end
redis.call('HSET', sessions, session, state(epoch, number, replies))

-- Whoever opens a session sweeps some that nobody used for long.
if not known then
  local some = redis.call('HRANDFIELD', sessions, 20, 'WITHVALUES')
  for i = 1, #some, 2 do
    local use = string.match(some[i + 1], '^%d+;%d+;(%d+);')
    if not use or now - tonumber(use) > UNUSED_MS then redis.call('HDEL', sessions, some[i]) end
  end
end

return { 'appended', reply }
