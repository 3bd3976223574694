#!lua flags=allow-oom
-- Claim, renew, complete or abandon dedup records, each by itself, all in one step.
--
-- KEYS[1+] STRING  dedup records: 'P <until> <owner>' in progress, 'D <until> <owner>[ <result>]' done; until = Unix ms
-- ARGV[1]  string  lines, each of neighbours that ask alike: '<kind> <ms> <owner> <owner> ...', an owner per key. Kinds:
--                  b = begin, r = renew (ms = lease), c = complete (ms = lifetime), k = complete and keep the next
--                  result, a = abandon
-- ARGV[2+] bytes   results, in the order of the k
-- ARGV[last] ms    test time, '' = TIME
--
-- Returns  { 'granted' }        each of them
--          { word, word, ... }  one per key: 'granted'; 'busy <ms>' in other hands for so long; 'done <result>' handled
--                               before; 'lost' claimed or done by somebody else since. Only a granted one changes
--
-- Invariant: of several owners of one record, at most one holds a claim that has not lapsed; only it can complete, or,
-- while nobody else has the record, whoever held it last. What is not a record of ours counts as none.

local call, now = redis.call, now_ms(ARGV[#ARGV])
local found, records, ends = call('MGET', unpack(KEYS)), {}, {}
for i, key in ipairs(KEYS) do records[key] = found[i] end

local function read(key)
  local text = records[key]
  if not text then return nil end
  local state, till, owner, result_at = string.match(text, '^([PD]) (%d+) (%S+) ?()')
  if not state or tonumber(till) <= now then return nil end
  return state, owner, text, result_at, tonumber(till) - now
end

-- Whether it is in progress and this owner's, lapsed or not. Without taking it apart: each completion asks.
local byte, find, P, SPACE = string.byte, string.find, 80, 32
local function is_claim_of(owner, text)
  return text and byte(text) == P and byte(text, #text - #owner) == SPACE and find(text, owner, -#owner, true)
end

local function write(key, state, owner, ms, result)
  ends[ms] = ends[ms] or whole(now + tonumber(ms))
  local text = state .. ' ' .. ends[ms] .. ' ' .. owner .. result
  call('SET', key, text, 'PX', ms)
  records[key] = text
end

local results = 1
local function carry_out(key, kind, ms, owner)
  local kept = ''
  if kind == 'k' then
    results = results + 1
    kept = ' ' .. ARGV[results]
  end
  if (kind == 'c' or kind == 'k') and is_claim_of(owner, records[key]) then
    write(key, 'D', owner, ms, kept)
    return 'granted'
  end
  local state, holder, text, result_at, left = read(key)
  if kind == 'b' then
    if state == 'D' then return 'done ' .. string.sub(text, result_at) end
    if state == 'P' and holder ~= owner then
      -- No member says so different a lease: the clock was set back, which keeps nobody waiting.
      local most = 4 * tonumber(ms)
      if left > most then write(key, 'P', holder, whole(most), '') end
      return 'busy ' .. whole(math.min(left, most))
    end
    write(key, 'P', owner, ms, '')
  elseif state and holder ~= owner then
    return 'lost'
  elseif kind == 'c' or kind == 'k' then
    write(key, 'D', owner, ms, kept)
  elseif state == 'D' then
    return 'lost'
  elseif kind == 'r' then
    write(key, 'P', owner, ms, '')
  elseif state then
    call('UNLINK', key)
    records[key] = false
  end
  return 'granted'
end

local words, count, all_granted = {}, 0, true
for kind, ms, owners in string.gmatch(ARGV[1], '(%l) (%d+) ([^\n]+)\n') do
  for owner in string.gmatch(owners, '%S+') do
    count = count + 1
    words[count] = carry_out(KEYS[count], kind, ms, owner)
    all_granted = all_granted and words[count] == 'granted'
  end
end
if all_granted then return { 'granted' } end
return words
