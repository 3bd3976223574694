/**
 * Commands that scripts and ports use: a Redis user must be allowed all of them, and needs no other. Held against the
 * sources by test/redis/acl.spec.ts, which also writes docs/redis.acl from this list.
 */
export const NEEDED_COMMANDS: readonly string[] = [
  ...['EVAL', 'EVALSHA', 'EXEC', 'INFO', 'MULTI', 'TIME', 'WAIT'],
  ...['EXISTS', 'GET', 'INCR', 'MGET', 'PEXPIRE', 'PTTL', 'SET', 'UNLINK'],
  ...['HDEL', 'HEXISTS', 'HGET', 'HGETALL', 'HINCRBY', 'HKEYS', 'HLEN', 'HMGET', 'HRANDFIELD'],
  ...['HSET', 'HSETNX', 'HVALS'],
  ...['LINDEX', 'LLEN', 'LPOP', 'LPUSH', 'LRANGE', 'RPUSH'],
  ...['SADD', 'SCARD', 'SMEMBERS', 'SRANDMEMBER', 'SREM'],
  ...['ZADD', 'ZCARD', 'ZMSCORE', 'ZRANGE', 'ZRANGEBYSCORE', 'ZREM', 'ZSCORE'],
  ...['XACK', 'XADD', 'XCLAIM', 'XDEL', 'XLEN', 'XPENDING', 'XRANGE', 'XREAD', 'XREADGROUP'],
  ...['XREVRANGE', 'XTRIM'],
  ...['XGROUP CREATE', 'XGROUP CREATECONSUMER', 'XGROUP DELCONSUMER'],
  ...['XGROUP DESTROY', 'XGROUP SETID'],
  ...['XINFO CONSUMERS', 'XINFO GROUPS', 'XINFO STREAM'],
];

/**
 * Commands that are used where the user may: to end a waiting read at once, to tell what a confirm survives, and for
 * `acks: 'disk'`. CLUSTER INFO is needed in a cluster only: without it nobody gets connected there.
 */
export const OPTIONAL_COMMANDS = [
  'CLIENT ID',
  'CLIENT UNBLOCK',
  'CLUSTER INFO',
  'CONFIG GET',
  'WAITAOF',
] as const;

export type OptionalCommand = (typeof OPTIONAL_COMMANDS)[number];

/** As an ACL rule: `+xgroup|create`. */
export function aclRule(command: string): string {
  return `+${command.toLowerCase().replace(' ', '|')}`;
}
