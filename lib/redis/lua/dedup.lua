#!lua flags=allow-oom
-- Claim, renew, complete or abandon dedup records, each by itself, all in one step.
--
-- KEYS[1+] any     dedup records: a STRING each, or a HASH of many: 'P <until> <owner>' in progress,
--                  'D <until> <owner>[ <result>]' done; until = Unix ms
-- ARGV[1]  string  lines '<kind> <ms> <owner> <count> <width>', each for so many records. Width 0: they are the next
--                  <count> keys; otherwise fields of the next key, whose names, each so wide, stand in ARGV[2]. Kinds:
--                  b = begin, r = renew (ms = lease), c = complete (ms = lifetime), k = complete and keep the next
--                  result, a = abandon
-- ARGV[2]  string  names of fields, one behind the other
-- ARGV[3+] bytes   results, in the order of the k
-- ARGV[last] ms    test time, '' = TIME
--
-- Returns  { 'granted' }        each of them
--          { word, word, ... }  one per record: 'granted'; 'busy <ms>' in other hands for so long; 'done <result>' handled
--                               before; 'lost' claimed or done by somebody else since. Only a granted one changes,
--                               but for a claim that would last longer than four leases, which is cut to them
--
-- Invariant: of several owners of one record, at most one holds a claim that has not lapsed; only it can complete, or,
-- while nobody else has the record, whoever held it last. What is not a record of ours counts as none. A HASH expires
-- after all of its records.

local call, now = redis.call, now_ms(ARGV[#ARGV])
local byte, find, sub, P, SPACE = string.byte, string.find, string.sub, 80, 32

local function texts_of(hash, names)
  if not hash then return call('MGET', unpack(names)) end
  local texts = redis.pcall('HMGET', hash, unpack(names))
  if not texts.err then return texts end
  if not find(texts.err, '^WRONGTYPE') then error(texts.err) end
  call('UNLINK', hash)
  return {}
end

local function write(hash, names, text, ms)
  if not hash then
    for _, name in ipairs(names) do call('SET', name, text, 'PX', ms) end
    return
  end
  local fields = {}
  for i, name in ipairs(names) do fields[2 * i - 1], fields[2 * i] = name, text end
  call('HSET', hash, unpack(fields))
  -- A little more than it needs: the next records need not move its end again.
  if call('PTTL', hash) < tonumber(ms) then call('PEXPIRE', hash, whole(ms * 1.125)) end
end

local function record(state, ms, owner, result)
  return state .. ' ' .. whole(now + tonumber(ms)) .. ' ' .. owner .. (result and ' ' .. result or '')
end

-- Whether it is in progress and this owner's, lapsed or not. Without taking it apart: each completion asks.
local function is_claim_of(owner, text)
  return text and byte(text) == P and byte(text, #text - #owner) == SPACE and find(text, owner, -#owner, true)
end

-- What nearly always is so for a whole line: nothing is known of any of them, or each is this owner's.
local function all_plain(kind, owner, texts, count)
  local claim
  for i = 1, count do
    local text = texts[i]
    if kind == 'b' then
      if text then return nil end
    elseif kind ~= 'c' then
      return nil
    elseif not claim or text ~= claim then
      if not is_claim_of(owner, text) then return nil end
      claim = text
    end
  end
  return kind == 'b' and 'P' or 'D'
end

local function carry_out(hash, name, text, ask)
  local kind, ms, owner, result = ask.kind, ask.ms, ask.owner, ask.result
  local completes = kind == 'c' or kind == 'k'
  local state, till, holder, result_at = string.match(text or '', '^([PD]) (%d+) (%S+) ?()')
  local left = state and tonumber(till) - now
  if left and left <= 0 then state = nil end
  if kind == 'b' and state == 'D' then return 'done ' .. sub(text, result_at) end
  if kind == 'b' and state and holder ~= owner then
    -- No member says so different a lease: the clock was set back, which keeps nobody waiting.
    local most = 4 * tonumber(ms)
    if left > most then write(hash, { name }, record('P', most, holder), whole(most)) end
    return 'busy ' .. whole(math.min(left, most))
  end
  if completes and is_claim_of(owner, text) then state = nil end
  if state and (holder ~= owner or state == 'D' and not completes) then return 'lost' end
  if kind ~= 'a' then
    write(hash, { name }, record(completes and 'D' or 'P', ms, owner, result), ms)
  elseif hash then
    call('HDEL', hash, name)
  else
    call('UNLINK', name)
  end
  return 'granted'
end

local words, all_granted, keys, names_at, results = {}, true, 0, 1, 2
for kind, ms, owner, count, width in string.gmatch(ARGV[1], '(%l) (%d+) (%S+) (%d+) (%d+)\n') do
  local hash, names = nil, {}
  count, width = tonumber(count), tonumber(width)
  if width > 0 then keys = keys + 1; hash = KEYS[keys] end
  for i = 1, count do
    if hash then
      names[i] = sub(ARGV[2], names_at, names_at + width - 1)
      names_at = names_at + width
    else
      keys = keys + 1
      names[i] = KEYS[keys]
    end
  end
  local texts = texts_of(hash, names)
  local state = all_plain(kind, owner, texts, count)
  if state then write(hash, names, record(state, ms, owner), ms) end
  local ask = { kind = kind, ms = ms, owner = owner }
  for i = 1, count do
    if kind == 'k' then results = results + 1; ask.result = ARGV[results] end
    local word = state and 'granted' or carry_out(hash, names[i], texts[i], ask)
    words[#words + 1] = word
    all_granted = all_granted and word == 'granted'
  end
end
if all_granted then return { 'granted' } end
return words
