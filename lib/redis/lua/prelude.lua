-- Shared by all scripts: stands between the header of a script and its code.

-- Unix ms: the server's, or those a test sets.
local function now_ms(test_time)
  if test_time ~= '' then return tonumber(test_time) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- A whole number as text. tostring() would write large ones as 1.7e+15.
local function whole(number)
  return string.format('%.0f', number)
end

-- Which run of which server this is: another one after a restart, or where a replica has taken over.
local function server_run()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)') or ''
end

-- Id for XADD: '*', or one that begins with the time a test sets (never before the last one).
local function next_id(stream, test_time)
  if test_time == '' then return '*' end
  local ms = tonumber(test_time)
  if redis.call('EXISTS', stream) == 1 then
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then
        ms = math.max(ms, tonumber(string.match(info[i + 1], '^%d+')))
      end
    end
  end
  return whole(ms) .. '-*'
end

-- Whether offset a stands before b. Both halves are unsigned 64 bit, more than a Lua number holds.
local function is_before(a, b)
  local function padded(offset)
    local ms, seq = string.match(offset, '^(%d+)%-(%d+)$')
    return string.rep('0', 20 - #ms) .. ms .. string.rep('0', 20 - #seq) .. seq
  end
  return padded(a) < padded(b)
end

-- Fields one after the other: each its length (4 bytes) and its bytes.
local function packed(fields)
  local parts = {}
  for n, bytes in ipairs(fields) do parts[n] = struct.pack('>I4', #bytes) .. bytes end
  return table.concat(parts)
end

-- Fields as XADD takes them: those of a foreign entry may be too many to be given one by one.
local function storable(fields)
  if #fields <= 990 then return fields end
  return { '\0packed', packed(fields) }
end
