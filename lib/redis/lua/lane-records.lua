-- Shared by the scripts about lanes: how the head of a lane is written down.

-- offset, starts, cuts, alone, token, at, ms, history: see docs/redis-keys.md. `at` is '' while it runs.
local function write_head(head)
  return table.concat({ head.offset, whole(head.starts), whole(head.cuts), head.alone, head.token, head.at, head.ms,
    head.history }, ':')
end

-- What write_head puts behind the offset at the first start of a message, which is most of what is written.
local function first_start(token)
  return ':1:0:0:' .. token .. ':::'
end

-- Whether the head that a record tells of stands at this offset.
local function is_head(record, offset)
  return string.byte(record, #offset + 1) == 58 and string.sub(record, 1, #offset) == offset -- 58 = ':'
end

-- What was started before the tokens of this owner was cut off: not counted, unless it ran alone.
local function read_head(record, base)
  if not record or record == '' then return nil end
  local offset, starts, cuts, alone, token, at, ms, history =
    string.match(record, '^([^:]+):(%d+):(%d+):(%d):(%d+):(%d*):(%d*):(.*)$')
  local head = { offset = offset, starts = tonumber(starts), cuts = tonumber(cuts), alone = alone, token = token,
    at = at, ms = ms, history = history, open = at == '' }
  if head.open and tonumber(token) < tonumber(base) then
    head.open, head.cuts = false, head.cuts + 1
    if alone ~= '1' then head.starts = math.max(head.starts - 1, 0) end
  end
  return head
end

-- The head after `kind`: nil once it is settled.
local function move_head(head, kind, step, token, now)
  local starts, cuts, history = head and head.starts or 0, head and head.cuts or 0, head and head.history or ''
  local is_open = head and head.open
  if kind == 'begin' or kind == 'begin-alone' then
    -- Begun again by the owner that had begun it: its handler never ran, or the reply got lost.
    if not is_open then starts = starts + 1 end
    return { offset = step.offset, starts = starts, cuts = cuts, alone = kind == 'begin-alone' and '1' or '0',
      token = token, at = '', ms = '', history = history }
  elseif kind == 'retry' or kind == 'postpone' then
    if kind == 'retry' then
      cuts, history = 0, step.text
    elseif is_open then
      starts = starts - 1
    end
    return { offset = step.offset, starts = starts, cuts = cuts, alone = '0', token = token,
      at = whole(now + tonumber(step.ms)), ms = step.ms, history = history }
  end
end

-- A message as an element of what a lane holds.
local function held_element(log, offset)
  local entry = redis.call('XRANGE', log, offset, offset)[1]
  return offset .. ' ' .. packed(entry and entry[2] or {})
end

-- Its offset and fields.
local function read_element(element)
  local space = string.find(element, ' ', 1, true)
  local fields, at = {}, space + 1
  while at <= #element do
    local size = struct.unpack('>I4', element, at)
    fields[#fields + 1] = string.sub(element, at + 4, at + 3 + size)
    at = at + 4 + size
  end
  return string.sub(element, 1, space - 1), fields
end

-- state, offset of the first, messages, since.
local function write_hold(hold)
  return table.concat({ hold.state, hold.first, whole(hold.messages), hold.since }, ':')
end

local function read_hold(text)
  if not text then return nil end
  local state, first, messages, since = string.match(text, '^(%a+):([^:]+):(%d+):(%d+)$')
  return { state = state, first = first, messages = tonumber(messages), since = since }
end
