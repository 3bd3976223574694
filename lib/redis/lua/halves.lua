-- Shared by the scripts about half messages: stands between the prelude and their code.
--
-- A half is facts, a line feed, and its frames, each with its length (4 bytes, big endian) before it. The facts are words with a space between:
--   prepared at (Unix ms) · checks answered · why it is parked or '-' · owner · name · messages · dues · dedup ids
-- Dues and dedup ids: one for each message and a comma between, '-' for none; '-' alone when no message has one.
-- Text is percent-encoded. What became of a transaction is 'r' (rolled back) or 'c' and the results of its append.

local FACT = '^(%d+) (%d+) (%S+) (%S+) (%S+) (%d+) (%S+) (%S+)\n()'
-- One message, visible at once, without a dedup id, not parked, as nearly all are; and where its frame begins.
local PLAIN = '^%d+ %d+ %- %S+ %S+ 1 %- %-\n....()'
local REMEMBERED_MS = 24 * 3600 * 1000

-- The 16-byte ids in a string of them.
local function split_ids(text)
  local ids = {}
  for n = 1, #text / 16 do ids[n] = string.sub(text, 16 * n - 15, 16 * n) end
  return ids
end

local function facts_of(half)
  local prepared_at, checks, parked, owner, name, messages, dues, dedups, frames_at = string.match(half, FACT)
  return {
    prepared_at = prepared_at, checks = checks, parked = parked, owner = owner, name = name,
    messages = tonumber(messages), dues = dues, dedups = dedups, half = half, frames_at = frames_at,
  }
end

local function half_of(facts)
  return table.concat({ facts.prepared_at, facts.checks, facts.parked, facts.owner, facts.name, whole(facts.messages),
    facts.dues, facts.dedups }, ' ') .. '\n' .. string.sub(facts.half, facts.frames_at)
end

-- The frames in a text of them, from `at` to `last`.
local function frames_in(text, at, last)
  local frames = {}
  while at <= last do
    local ends = at + 3 + struct.unpack('>I4', text, at)
    frames[#frames + 1] = string.sub(text, at + 4, ends)
    at = ends + 1
  end
  return frames
end

-- What became of a transaction as an answer.
local function resolution(remembered)
  if remembered == 'r' then return 'rolled-back' end
  return 'committed ' .. string.sub(remembered, 2)
end

-- A reply: the ids as they came, then answers in their order, neighbours that are the same told once: '<how many> <answer>'.
-- Transactions of one message each that were appended one after the other: '<how many> following <offset of the first>'.
local function replying(ids)
  local reply, answer, count, is_following = { ids }, nil, 0, false
  local function flush(next)
    if count > 0 then reply[#reply + 1] = count .. ' ' .. answer end
    answer, count, is_following = next, 1, false
  end
  return {
    add = function(next)
      if next == answer then count = count + 1 else flush(next) end
    end,
    -- `follows`: directly after the one before it in the log.
    add_stored = function(offset, follows)
      if follows and is_following then
        count = count + 1
      else
        flush('following ' .. offset)
        is_following = true
      end
    end,
    all = function()
      flush()
      return reply
    end,
  }
end

-- Forget the halves, remember their ends. `pairs_of`: field and value in turn, as HSET takes them.
local function resolve(keys, gone, pairs_of)
  if #gone.ids > 0 then
    redis.call('HDEL', keys.half, unpack(gone.ids))
    redis.call('ZREM', keys.checks, unpack(gone.ids))
    redis.call('HINCRBY', keys.meta, 'reserved', -gone.messages)
  end
  if gone.parked then redis.call('ZREM', keys.parked_halves, unpack(gone.ids)) end
  if #pairs_of > 0 then
    redis.call('HSET', keys.done, unpack(pairs_of))
    redis.call('PEXPIRE', keys.done, REMEMBERED_MS)
  end
end

-- Appends messages as append.lua does, limits apart. `named`: dedup ids, whose records are KEYS from `first` on.
local function appender(keys, named, first, test_time)
  local now = now_ms(test_time)
  local next_one, is_run, places, place = next_id(keys.log, test_time), false, {}, first
  redis.call('HLEN', keys.meta)
  redis.call('XLEN', keys.log)
  redis.call('HLEN', keys.scheduled)
  redis.call('ZCARD', keys.due)
  redis.call('ZCARD', keys.checks)
  redis.call('ZCARD', keys.parked_halves)
  for dedup in string.gmatch(named, '%S+') do
    places[dedup], place = place, place + 1
  end
  local born, window, record = nil, nil, {}
  if place > first then
    local settings = redis.call('HMGET', keys.meta, 'born', 'dedupWindowMs')
    born, window = settings[1] or '-', tonumber(settings[2] or 0)
    for i = first, place - 1 do
      local stored = redis.call('GET', KEYS[i])
      local life, until_ms, original = string.match(stored or '', '^(%S+) (%d+) (.*)$')
      if life == born and tonumber(until_ms) > now then record[i] = original end
    end
  end

  -- @returns its offset, and whether it stands directly after the one before.
  local function visible(frame)
    local follows, offset = is_run, redis.call('XADD', keys.log, next_one, 'rv', frame)
    if not is_run then
      -- Redis counts on from here, so that the first offset of a run says the others.
      local ms, seq = string.match(offset, '^(%d+%-)(%d+)$')
      if #seq < 15 then next_one, is_run = ms .. '*', true end
    end
    return offset, follows
  end

  local function one(frame, when, dedup)
    local id, visible_at = string.sub(frame, 2, 17), now
    if when ~= '-' then
      visible_at = tonumber(string.sub(when, 2))
      if string.sub(when, 1, 1) == '+' then visible_at = visible_at + now end
    end
    local key = places[dedup]
    if key and record[key] then return 'duplicate', record[key] end
    local offset = '-'
    if visible_at > now then
      redis.call('HSET', keys.scheduled, id, frame)
      redis.call('ZADD', keys.due, whole(visible_at), id)
    else
      offset = visible(frame)
    end
    if key then
      local hex = string.gsub(id, '.', function(byte) return string.format('%02x', string.byte(byte)) end)
      record[key] = hex .. '/' .. offset
      if window > 0 then
        redis.call('SET', KEYS[key], born .. ' ' .. whole(now + window) .. ' ' .. record[key], 'PX', whole(window))
      end
    end
    if offset == '-' then return 'scheduled', whole(visible_at) end
    return 'stored', offset
  end

  return {
    visible = visible,
    knows = function(dedups)
      for dedup in string.gmatch(dedups, '[^,]+') do
        if dedup ~= '-' and not places[dedup] then return false end
      end
      return true
    end,
    -- @returns the results as append.lua words them, and how many messages took room.
    all = function(frames, dues, dedups)
      local results, first_of_run, count, placed = {}, nil, 0, 0
      local each_due = dues ~= '-' and string.gmatch(dues, '[^,]+')
      local each_dedup = dedups ~= '-' and string.gmatch(dedups, '[^,]+')
      local function end_run()
        if first_of_run then results[#results + 1] = 'stored ' .. first_of_run .. ' ' .. count end
        first_of_run, count = nil, 0
      end
      for _, frame in ipairs(frames) do
        local word, detail = one(frame, each_due and each_due() or '-', each_dedup and each_dedup() or '-')
        if word ~= 'duplicate' then placed = placed + 1 end
        if word == 'stored' then
          if not is_run then end_run() end
          first_of_run, count = first_of_run or detail, count + 1
        else
          end_run()
          results[#results + 1] = word .. ' ' .. detail .. ' 1'
        end
      end
      end_run()
      return table.concat(results, ','), placed
    end,
  }
end
