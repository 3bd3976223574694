-- Shared by the scripts about what waits: stands between the prelude and their code.
--
-- Time that is not set back with the clock of the server: what was noted before would wait for as much longer. A hash
-- remembers, in one field, how far it had come when something was noted, and by how much it is ahead: '<ms>:<ms>'.

local CLOCK = '~clock'

-- Unix ms, and more after the clock was set back; by the clock alone; and what was remembered.
local function read_steady(field, now)
  local time, ahead = string.match(field or '', '^(%d+):(%d+)$')
  local by_clock = now + tonumber(ahead or 0)
  return math.max(by_clock, tonumber(time or 0)), by_clock, tonumber(time or 0)
end

-- The first of these, remembered. `notes`: something is to be noted by it now.
local function steady_ms(key, now, notes)
  local steady, by_clock, time = read_steady(redis.call('HGET', key, CLOCK), now)
  -- Once a second is often enough: what is noted now waits for so much longer at most.
  if steady > by_clock or notes and steady >= time + 1000 then
    redis.call('HSET', key, CLOCK, whole(steady) .. ':' .. whole(steady - now))
  end
  return steady
end

