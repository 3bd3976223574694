import type { RedisOptions } from 'ioredis';
import { describeValue, integerProblem } from '../core/message/options.js';

/** `commands`: never blocks. `blocking`: one reader of its own, since commands queue behind a blocked one. */
export type ConnectionRole = 'commands' | 'blocking';

const SOCKET_TIMEOUT_MS = 5_000;

/**
 * Options the library decides, because ioredis's defaults lose and double messages. Each was measured:
 *
 * - autoResendUnfulfilledCommands: a reply lost on the wire makes ioredis send the write again.
 * - maxRetriesPerRequest: without 0, what is no longer resent stays pending for ever (6.0.0).
 * - enableOfflineQueue: an unbounded queue, whose writes are carried out long after their callers gave up.
 * - commandTimeout: rejects the promise while the command is still carried out later, overtaking its retry.
 * - blockingTimeout: makes a dead socket look like an idle queue, for ever.
 * - keyPrefix, replyMapping, stringNumbers, enableAutoPipelining: change what scripts are sent and what they answer.
 * - monitor: such a connection takes no commands.
 * - enableReadyCheck: without it a server that is loading, or a replica, is taken for usable.
 * - retryStrategy, reconnectOnError: must never give up, and never resend.
 */
const DECIDED = {
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  commandTimeout: undefined,
  blockingTimeout: undefined,
  keyPrefix: '',
  replyMapping: 'legacy',
  stringNumbers: false,
  enableAutoPipelining: false,
  monitor: false,
  enableReadyCheck: true,
  readOnly: false,
} satisfies RedisOptions;

/** A demoted master, and Redis Enterprise's word for it: reconnect to find the new one; never resend. */
const DEMOTED = /^READONLY|instance state changed/;

/** Options for one client: the user's where and who, the library's how. */
export function profile(
  role: ConnectionRole,
  user: RedisOptions,
  context: { namespace: string; blockMs: number },
): RedisOptions {
  const { namespace, blockMs } = context;
  return {
    connectTimeout: 5_000,
    keepAlive: 10_000,
    // A blocked read is silent for blockMs by design.
    socketTimeout: role === 'blocking' ? blockMs + SOCKET_TIMEOUT_MS : SOCKET_TIMEOUT_MS,
    // A closing socket may be half-open: "close" must not wait for the other end.
    disconnectTimeout: 50,
    // CLIENT SETINFO is a right more, and Redis 7.0 does not know it.
    disableClientInfo: true,
    // Asks a server that is loading again so often; ioredis would wait for ten seconds.
    maxLoadingRetryTime: 500,
    connectionName: `rivulet:${namespace}:${role}`,
    ...(user.sentinels ? { failoverDetector: true, sentinelCommandTimeout: 5_000 } : {}),
    ...user,
    ...DECIDED,
    retryStrategy: (attempt) => Math.min(50 * 2 ** (attempt - 1), 2_000) + Math.random() * 200,
    reconnectOnError: (error) => DEMOTED.test(error.message),
  };
}

/** What must not be said of a client of one server, or contradicts itself. `blockMs`: how long its reads wait. */
export function optionProblems(options: RedisOptions, blockMs: number): string[] {
  const problems = decidedProblems(options).map((problem) => `connection: ${problem}`);
  const dbProblem = integerProblem('connection: db', options.db ?? 0, { min: 0 });
  if (dbProblem) problems.push(dbProblem);
  // A text of digits is fine, as with ioredis. NaN is mostly a variable that is not set.
  const portProblem = integerProblem('connection: port', Number(options.port ?? 6379), {
    min: 1,
    max: 65_535,
  });
  if (portProblem) problems.push(portProblem);
  if (options.sentinels) {
    if (!options.name)
      problems.push('connection: sentinels need the name of the master: { sentinels, name }');
    if (options.tls && !options.enableTLSForSentinelMode)
      problems.push(
        'connection: with sentinels, tls does nothing without enableTLSForSentinelMode: true, and the password ' +
          'would travel unencrypted',
      );
  }
  const { socketTimeout } = options;
  if (socketTimeout !== undefined && blockMs >= socketTimeout)
    problems.push(
      `blockMs (${blockMs}) must be below socketTimeout (${socketTimeout}): the socket would be given up while it waits`,
    );
  return problems;
}

/** One sentence for each option that contradicts what the library decides. */
function decidedProblems(options: RedisOptions): string[] {
  const given = options as Readonly<Record<string, unknown>>;
  return Object.entries(DECIDED)
    .filter(
      ([name, decided]) =>
        given[name] !== undefined && given[name] !== null && given[name] !== decided,
    )
    .map(([name, decided]) =>
      name === 'keyPrefix'
        ? 'keyPrefix is not supported; use namespace'
        : `${name} is decided by the library (${describeValue(decided)}), got: ${describeValue(given[name])}`,
    );
}
