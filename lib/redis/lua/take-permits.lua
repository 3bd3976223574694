#!lua flags=allow-oom
-- Keep, take or give back permits for keys of a subscription, all keys in one step.
--
-- KEYS[1+] STRING  permits: lines 'h <member> <permits> <until>' of who holds some, 'w <member> <since> <until>' of who
--                  waits for one (Unix ms). None: nobody has one
-- ARGV[1]  string  member
-- ARGV[2]  count   permits of each key
-- ARGV[3]  ms      for which they are held
-- ARGV[4]  ms      for which it waits
-- ARGV[5]  string  '<held> <want> ' for each key: how many it uses, how many more it wants
-- ARGV[6]  ms      test time, '' = TIME
--
-- Returns  { number, ... }  two per key: permits that are this member's now; how many others wait
--
-- Invariant: among members whose lease runs, never more permits are held than there are. Who has none comes first, in the
-- order of coming.

local member, max = ARGV[1], tonumber(ARGV[2])
local now = now_ms(ARGV[6])
local held_until, waits_until = now + tonumber(ARGV[3]), now + tonumber(ARGV[4])
local found = redis.call('MGET', unpack(KEYS))

-- The lines of others that count, what they hold, and how many wait, or wait for longer than we do.
local function read(text)
  local lines, taken, waiting, since, last = {}, 0, {}, nil, 0
  for line, kind, who, number, till in string.gmatch(text or '', '(([hw]) (%S+) (%d+) (%d+)\n)') do
    number, till = tonumber(number), tonumber(till)
    local latest = now + 4 * tonumber(kind == 'h' and ARGV[3] or ARGV[4])
    if till > latest then
      -- No member says so different a time: the clock was set back, which keeps nobody waiting.
      till = latest
      line = kind .. ' ' .. who .. ' ' .. whole(number) .. ' ' .. whole(till) .. '\n'
    end
    if till <= now then
      -- Lapsed.
    elseif who == member then
      if kind == 'w' then since = number end
    else
      lines[#lines + 1] = line
      last = math.max(last, till)
      if kind == 'h' then taken = taken + number else waiting[#waiting + 1] = number end
    end
  end
  local before = 0
  for _, at in ipairs(waiting) do
    if not since or at < since then before = before + 1 end
  end
  return lines, taken, #waiting, before, since or now, last
end

local reply, place = {}, 0
for held, want in string.gmatch(ARGV[5], '(%d+) (%d+) ') do
  held, want, place = tonumber(held), tonumber(want), place + 1
  local lines, taken, waiting, before, since, last = read(found[place])
  local granted = math.min(held, math.max(0, max - taken))
  granted = granted + math.min(want, math.max(0, max - taken - granted - before))
  if granted > 0 then
    lines[#lines + 1] = 'h ' .. member .. ' ' .. whole(granted) .. ' ' .. whole(held_until) .. '\n'
    last = math.max(last, held_until)
  elseif want > 0 then
    lines[#lines + 1] = 'w ' .. member .. ' ' .. whole(since) .. ' ' .. whole(waits_until) .. '\n'
    last = math.max(last, waits_until)
  end
  if #lines > 0 then
    redis.call('SET', KEYS[place], table.concat(lines), 'PX', whole(last - now))
  elseif found[place] then
    redis.call('UNLINK', KEYS[place])
  end
  reply[#reply + 1] = whole(granted)
  reply[#reply + 1] = whole(waiting)
end
return reply
