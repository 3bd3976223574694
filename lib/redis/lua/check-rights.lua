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
for i = 1, #ARGV - 1 do
  local command, subcommand = string.match(ARGV[i], '^(%S+) ?(%S*)$')
  local arguments = COMPLETE[command] or (subcommand ~= '' and { subcommand, key } or { key })
  -- A command that this server does not know is an error: nobody may run it here.
  local known, allowed = pcall(redis.acl_check_cmd, command, unpack(arguments))
  if not (known and allowed) then missing[#missing + 1] = ARGV[i] end
end
return missing
