-- Shared by the scripts that ask about the consumer groups of a stream.

-- Names and values, one after the other, as a table.
local function named(list)
  local fields = {}
  for i = 1, #list, 2 do fields[list[i]] = list[i + 1] end
  return fields
end

-- What XINFO says about a group; nil when there is no such group, or no stream.
local function group_facts(stream, group)
  if redis.call('EXISTS', stream) == 0 then return nil end
  for _, listed in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local facts = named(listed)
    if facts['name'] == group then return facts end
  end
end

-- How many entries of a stream come after one; nil when they are more than `most`, or when those that were counted have more
-- than `bytes`: an entry cannot be counted without its body.
local function count_after(stream, offset, most, bytes)
  for found = 0, most do
    local entry = redis.call('XRANGE', stream, '(' .. offset, '+', 'COUNT', 1)[1]
    if not entry then return found end
    if bytes < 0 then return nil end
    offset = entry[1]
    for _, value in ipairs(entry[2]) do bytes = bytes - #value end
  end
end
