#!lua flags=no-writes
-- Scheduled messages by when they become visible, from behind a place on.
--
-- KEYS[1]  HASH    scheduled: message id -> frame
-- KEYS[2]  ZSET    due: message id by when it becomes visible (Unix ms)
-- ARGV[1]  ms      due time of the place, '' = from the first on
-- ARGV[2]  bytes   message id of the place; it need not be there (any more)
-- ARGV[3]  int     most messages; 500 at most
-- ARGV[4]  ms      test time, '' = TIME; not used
--
-- Returns  { id, due, frame, ... }  three for each message; an empty frame where there is none
--
-- Invariant: who lists page after page sees each message that stays once, whatever else comes and goes.

local scheduled, due = KEYS[1], KEYS[2]
local after_due, after_id = tonumber(ARGV[1]), ARGV[2]

-- Byte by byte, as the set sorts them: `<` of Lua compares by the locale of the server.
local function follows(id)
  for i = 1, 16 do
    local a, b = id:byte(i) or -1, after_id:byte(i)
    if a ~= b then return a > b end
  end
  return false
end

local first, last = 0, after_due and redis.call('ZCARD', due) or 0
while first < last do
  local middle = math.floor((first + last) / 2)
  local found = redis.call('ZRANGE', due, middle, middle, 'WITHSCORES')
  local at = tonumber(found[2])
  if at > after_due or (at == after_due and follows(found[1])) then last = middle else first = middle + 1 end
end

local most = math.min(tonumber(ARGV[3]), 500)
local listed = redis.call('ZRANGE', due, first, first + most - 1, 'WITHSCORES')
local answer = {}
for i = 1, #listed, 2 do
  answer[#answer + 1] = listed[i]
  answer[#answer + 1] = listed[i + 1]
  answer[#answer + 1] = redis.call('HGET', scheduled, listed[i]) or ''
end
return answer
