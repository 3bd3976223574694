#!lua flags=allow-oom
-- Append the messages of halves to their queue.
--
-- KEYS[1]  HASH    meta: generation and settings of the queue; reserved: messages in halves
-- KEYS[2]  STREAM  log: the visible messages
-- KEYS[3]  HASH    scheduled: message id -> frame
-- KEYS[4]  ZSET    due: message id by when it becomes visible (Unix ms)
-- KEYS[5]  HASH    half: transaction id -> facts and frames (halves.lua)
-- KEYS[6]  ZSET    checks: transaction id by when its owner is asked about it (Unix ms)
-- KEYS[7]  ZSET    parkedHalves: transaction id by when it was parked (Unix ms)
-- KEYS[8]  HASH    done: transaction id -> what became of it
-- KEYS[9+] STRING  dedup records of these halves
-- ARGV[1]  bytes   transaction ids, 16 bytes each; 500 at most
-- ARGV[2]  string  dedup ids of KEYS[9+], percent-encoded and a space between
-- ARGV[3]  ms      test time, '' = TIME
--
-- Returns  { ids, answer, ... }  the ids as they came, and for each one (see `replying` in halves.lua):
--   committed <results>     now or before: the results of the first time, as append.lua words them
--   rolled-back             decided before; nothing changed
--   unknown                 never prepared here, or decided too long ago; nothing changed
--   dedup <dedup ids>       some of all these must be among ARGV[2] and are not, a comma between; nothing changed at all
--
-- Invariant: a half is appended once, whole, and never after it was rolled back. No limit refuses it.

local keys = { meta = KEYS[1], log = KEYS[2], scheduled = KEYS[3], due = KEYS[4], half = KEYS[5], checks = KEYS[6],
  parked_halves = KEYS[7], done = KEYS[8] }
local ids = split_ids(ARGV[1])

local ended, halves = redis.call('HMGET', keys.done, unpack(ids)), redis.call('HMGET', keys.half, unpack(ids))
local append = appender(keys, ARGV[2], 9, ARGV[3])

local reply, gone, ends, seen = replying(ARGV[1]), { ids = {}, messages = 0 }, {}, {}
-- Of each half its facts, or only where its frame begins.
local all, is_complete = {}, true
for i in ipairs(ids) do
  if halves[i] and not ended[i] then
    local frame_at = string.match(halves[i], PLAIN)
    all[i] = frame_at or facts_of(halves[i])
    if not frame_at and not append.knows(all[i].dedups) then is_complete = false end
  end
end
if not is_complete then
  for i in ipairs(ids) do reply.add('dedup ' .. (type(all[i]) == 'table' and all[i].dedups or '-')) end
  return reply.all()
end
local count, messages, visible = 0, 0, append.visible
for i, id in ipairs(ids) do
  local facts, known = all[i], ended[i] or seen[id]
  if known then
    reply.add(resolution(known))
  elseif not facts then
    reply.add('unknown')
  else
    local result
    if type(facts) == 'number' then
      local offset, follows = visible(string.sub(halves[i], facts))
      result = 'cstored ' .. offset .. ' 1'
      messages = messages + 1
      reply.add_stored(offset, follows)
    else
      local frames = frames_in(halves[i], facts.frames_at, #halves[i])
      result = 'c' .. append.all(frames, facts.dues, facts.dedups)
      messages = messages + facts.messages
      gone.parked = gone.parked or facts.parked ~= '-'
      reply.add(resolution(result))
    end
    seen[id], count = result, count + 1
    gone.ids[count] = id
    ends[2 * count - 1], ends[2 * count] = id, result
  end
end
gone.messages = messages
resolve(keys, gone, ends)
return reply.all()
