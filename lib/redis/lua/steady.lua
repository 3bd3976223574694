-- Shared by the scripts about what waits: stands between the prelude and their code.
--
-- Time that is not set back with the clock of the server: what was noted before would wait for as much longer. A hash
-- remembers, in one field, how far it had come when something was noted, and by how much it is ahead: '<ms>:<ms>'.

local CLOCK = '~clock'

-- Unix ms, and more after the clock was set back. `notes`: something is to be noted by it now.
local function steady_ms(key, now, notes)
  local time, ahead = string.match(redis.call('HGET', key, CLOCK) or '', '^(%d+):(%d+)$')
  local by_clock = now + tonumber(ahead or 0)
  local steady = math.max(by_clock, tonumber(time or 0))
  -- Once a second is often enough: what is noted now waits for so much longer at most.
  if steady > by_clock or notes and steady >= tonumber(time or 0) + 1000 then
    redis.call('HSET', key, CLOCK, whole(steady) .. ':' .. whole(steady - now))
  end
  return steady
end

