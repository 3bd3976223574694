#!lua flags=no-writes
-- Which commands may the connected user not run?
--
-- KEYS[1]  any     any: a key of the namespace; it is not touched
-- ARGV[1+] string  names of commands, a subcommand after a space
-- ARGV[last] ms    test time, '' = TIME; not used
--
-- Returns  { command, ... }  those that are missing; empty when none is
--
-- Invariant: a script that misses a right halfway has written already, so rights are asked for before anything runs.

local key, missing = KEYS[1], {}
-- Redis 7.0 looks for the keys of these where they must be, without a look at the number of arguments: and dies when
-- they are not there.
local STREAMS, NO_KEYS = { 'STREAMS', key, '0' }, { '', '0' }
local COMPLETE = {
  EVAL = NO_KEYS,
  EVALSHA = NO_KEYS,
  XREAD = STREAMS,
  XREADGROUP = { 'GROUP', 'g', 'c', unpack(STREAMS) },
}
local MOST_MORE = 5
-- Newer servers refuse to say anything about a call with too few arguments, or too many: what comes behind the key says
-- nothing about rights.
local function may(command, subcommand)
  local arguments = { unpack(COMPLETE[command] or (subcommand ~= '' and { subcommand, key } or { key })) }
  local known, allowed
  for more = 0, MOST_MORE do
    arguments[#arguments + 1] = more > 0 and '0' or nil
    known, allowed = pcall(redis.acl_check_cmd, command, unpack(arguments))
    if known then return allowed end
  end
  known, allowed = pcall(redis.acl_check_cmd, command, unpack(subcommand ~= '' and { subcommand } or {}))
  -- A command that this server does not know is an error: nobody may run it here.
  return known and allowed
end
for i = 1, #ARGV - 1 do
  if not may(string.match(ARGV[i], '^(%S+) ?(%S*)$')) then missing[#missing + 1] = ARGV[i] end
end
return missing
