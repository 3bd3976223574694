#!lua flags=allow-oom
-- Claim, renew, complete or abandon dedup records, each by itself, all in one step.
--
-- KEYS[1+] STRING  dedup records: 'P <until> <owner>' in progress, 'D <until> <owner>[ <result>]' done; until = Unix ms
-- ARGV[1+] string  four per key: kind, owner, ms, bytes. Kinds: 'begin', 'renew' (ms = lease), 'complete' (ms =
--                  lifetime, bytes = result, '' = none), 'abandon'
-- ARGV[last] ms    test time, '' = TIME
--
-- Returns  { 'granted' }        each of them
--          { word, word, ... }  one per key: 'granted'; 'busy <ms>' in other hands for so long; 'done <result>' handled
--                               before; 'lost' claimed or done by somebody else since. Only a granted one changes
--
-- Invariant: of several owners of one record, at most one holds a claim that has not lapsed; only it can complete, or,
-- while nobody else has the record, whoever held it last. What is not a record of ours counts as none.

local test_time = ARGV[#ARGV]

local now = now_ms(test_time)
local found, records = redis.call('MGET', unpack(KEYS)), {}
for i, key in ipairs(KEYS) do records[key] = found[i] end

local function read(key)
  local text = records[key]
  if not text then return nil end
  local state, till, owner, result = string.match(text, '^([PD]) (%d+) (%S+) ?(.*)$')
  if not state or tonumber(till) <= now then return nil end
  return state, owner, tonumber(till) - now, result
end

local function write(key, state, owner, ms, result)
  local text = state .. ' ' .. whole(now + tonumber(ms)) .. ' ' .. owner
  if result ~= '' then text = text .. ' ' .. result end
  redis.call('SET', key, text, 'PX', ms)
  records[key] = text
end

local function carry_out(key, kind, owner, ms, bytes)
  local state, holder, left, result = read(key)
  if kind == 'begin' then
    if state == 'D' then return 'done ' .. result end
    if state == 'P' and holder ~= owner then return 'busy ' .. whole(left) end
    write(key, 'P', owner, ms, '')
  elseif state and holder ~= owner then
    return 'lost'
  elseif kind == 'complete' then
    write(key, 'D', owner, ms, bytes)
  elseif state == 'D' then
    return 'lost'
  elseif kind == 'renew' then
    write(key, 'P', owner, ms, '')
  elseif state then
    redis.call('UNLINK', key)
    records[key] = false
  end
  return 'granted'
end

local words, all_granted = {}, true
for i, key in ipairs(KEYS) do
  local at = 4 * (i - 1)
  words[i] = carry_out(key, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
  all_granted = all_granted and words[i] == 'granted'
end
if all_granted then return { 'granted' } end
return words
