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

-- How many entries of a stream come after one; nil when they are more than `most`: each that is counted costs its bytes.
local function count_after(stream, offset, most)
  local found = #redis.call('XRANGE', stream, '(' .. offset, '+', 'COUNT', most + 1)
  return found <= most and found or nil
end
