#!lua flags=allow-oom
-- Note which consumer groups of a topic have members, and tell for how long the others have had none.
--
-- KEYS[1]  HASH    groups: consumer group -> mode and filter digest
-- KEYS[2]  HASH    seen: consumer group -> when it last had a member (Unix ms)
-- ARGV[1+] string  consumer groups that have members
-- ARGV[last] ms    test time, '' = TIME
--
-- Returns  { group, idle, ... }  every group that is registered, and milliseconds since it was noted
--
-- Invariant: a group that was never noted counts from now, and one that was removed is forgotten.

local groups, seen = KEYS[1], KEYS[2]
local now, present = now_ms(ARGV[#ARGV]), {}
for i = 1, #ARGV - 1 do present[ARGV[i]] = true end

local registered, reply = redis.call('HKEYS', groups), {}
local noted = redis.call('HGETALL', seen)
local at = {}
for i = 1, #noted, 2 do at[noted[i]] = tonumber(noted[i + 1]) end

for _, group in ipairs(registered) do
  if present[group] or not at[group] then
    redis.call('HSET', seen, group, whole(now))
    at[group] = now
  end
  reply[#reply + 1] = group
  reply[#reply + 1] = whole(math.max(0, now - at[group]))
  at[group] = nil
end
for group in pairs(at) do redis.call('HDEL', seen, group) end
return reply
