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

local missing = {}
for i = 1, #ARGV - 1 do
  local command, subcommand = string.match(ARGV[i], '^(%S+) ?(%S*)$')
  local allowed
  if subcommand ~= '' then
    allowed = redis.acl_check_cmd(command, subcommand, KEYS[1])
  else
    allowed = redis.acl_check_cmd(command, KEYS[1])
  end
  if not allowed then missing[#missing + 1] = ARGV[i] end
end
return missing
