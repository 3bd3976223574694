#!lua flags=allow-oom
-- Begin a new epoch of a producer session, which fences every older call, and tell what became of some.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue
-- KEYS[2]  HASH    sessions: session -> epoch;last number;last use;known since;server;here since;remembered replies
-- ARGV[1]  string  session
-- ARGV[2]  int     the new epoch
-- ARGV[3]  string  asked calls, '<epoch>:<number>' with a space between
-- ARGV[4]  ms      test time, '' = TIME
--
-- Returns  { 'open', answer, ... }  for each asked call the results append.lua gave, 'never', or 'not-here': this server
--                                  does not have it, and another one, or this one before a restart, may have had it
--          { 'new-session' }        nothing is known about the session, or not about an epoch that was asked for; it is
--                                   open now, unless the queue is gone
--
-- Invariant: a call answered 'never' does not change anything afterwards. Repeating this call within an epoch that
-- has moved on does not turn it back.

local meta, sessions = KEYS[1], KEYS[2]
local session, epoch, asked = ARGV[1], ARGV[2], ARGV[3]

local UNUSED_MS = 24 * 3600 * 1000

local now = now_ms(ARGV[4])
local known = redis.call('HGET', sessions, session)
local here = server_run()
local at_epoch, last, use, since, server, here_since, remembered
if known then
  at_epoch, last, use, since, server, here_since, remembered =
    string.match(known, '^(%d+);(%d+);(%d+);(%d+);(%x*);(%d+);(.*)$')
  if now - tonumber(use) > UNUSED_MS then known = nil end
end
if not known then
  -- No record for a queue that was removed: nobody would ever delete it.
  if redis.call('EXISTS', meta) == 1 then
    local origin = table.concat({ epoch, here, epoch }, ';')
    redis.call('HSET', sessions, session, epoch .. ';0;' .. whole(now) .. ';' .. origin .. ';')
  end
  return { 'new-session' }
end

if tonumber(epoch) > tonumber(at_epoch) then at_epoch, last = epoch, '0' end
-- A replica that took over knows the session, and lacks what it was not told in time.
if server ~= here then server, here_since = here, at_epoch end
local record = { at_epoch, last, whole(now), since, server, here_since, remembered }
redis.call('HSET', sessions, session, table.concat(record, ';'))

-- Also the repeat of a reopening that found nothing comes here: "never" would be a guess.
for asked_epoch in string.gmatch(asked, '(%d+):%d+') do
  if tonumber(asked_epoch) < tonumber(since) then return { 'new-session' } end
end

local answers = { 'open' }
for call in string.gmatch(asked, '[^ ]+') do
  local mark, answer = call .. '=', 'never'
  if tonumber(string.match(call, '^%d+')) < tonumber(here_since) then answer = 'not-here' end
  for reply in string.gmatch(remembered, '[^|]+') do
    if string.sub(reply, 1, #mark) == mark then answer = string.sub(reply, #mark + 1) end
  end
  answers[#answers + 1] = answer
end
return answers
