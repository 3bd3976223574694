import { RivuletError, StoreRefusedError, StoreUnavailableError } from '../core/message/errors.js';
import { withoutPeriod } from '../core/message/sentence.js';

/** What was asked of Redis, for the text of an error. Never an argument: those hold payloads and passwords. */
export interface Asked {
  /** Name of the script or command. */
  operation: string;
  /** The key it was about, if there is one. */
  key?: string | undefined;
}

/** What to do about a refusal, by Redis's own word. */
const ADVICE: Readonly<Record<string, string>> = {
  OOM: 'Consuming goes on; free memory or raise maxmemory',
  WRONGTYPE: 'The key holds something else; delete it or choose another namespace',
  READONLY: 'This server is a replica; connect to its master',
  MISCONF: 'Redis cannot write to its disk; free space there',
  NOPERM: "The Redis user lacks a right; see the user's ACL",
  NOAUTH: 'Give a username and password in the connection',
  WRONGPASS: 'Check the username and password of the connection',
  BUSY: 'A script of somebody runs too long; try again later',
  LOADING: 'Redis is starting; try again in a moment',
  CLUSTERDOWN: 'The cluster is not complete; try again later',
  ASK: 'Its slot is being moved; try again in a moment',
  MOVED: 'Its slot is being moved; try again in a moment',
  TRYAGAIN: 'Its slot is being moved; try again in a moment',
  NOREPLICAS: 'Too few replicas are connected for min-replicas-to-write; try again later',
  EXHAUSTED:
    'Another program wrote an entry with the highest id there is; once the groups are done with it, delete the topic and make it anew',
  UNKNOWN_COMMAND: 'The server does not have it, or by another name (rename-command)',
  NOGROUP: 'The consumer group or its queue is gone; join it again',
  NOT_SENT: 'Try again in a moment',
};

/** Errors of the family "this was not executed" that carry no word of their own. */
const WORDLESS: readonly [RegExp, string][] = [
  // ioredis, before writing anything
  [/^Stream isn't writeable and enableOfflineQueue options is false/, 'NOT_SENT'],
  // Lua calls that the ACL forbids: Redis 8 and Valkey, then Redis 7
  [/^(ERR )?ACL failure in script/, 'NOPERM'],
  [/^ERR The user executing the script can't/, 'NOPERM'],
  [/^ERR unknown (sub)?command/i, 'UNKNOWN_COMMAND'],
  // SELECT
  [/^ERR (DB index is out of range|SELECT is not allowed in cluster mode)/, 'NO_DB'],
  // ioredis followed a cluster for so long; each node answered instead of acting
  [/^Too many Cluster redirections\. Last error: (ReplyError: )?(MOVED|ASK) /, 'MOVED'],
  [/^Too many Cluster redirections\. Last error: (ReplyError: )?TRYAGAIN /, 'TRYAGAIN'],
  [/^Too many Cluster redirections\. Last error: (ReplyError: )?CLUSTERDOWN /, 'CLUSTERDOWN'],
  // An entry of another program took the highest id; append looks before it writes anything
  [/^ERR The stream has exhausted the last possible ID/, 'EXHAUSTED'],
  // XINFO of a queue that is gone, and its groups with it
  [/^ERR no such key/, 'NOGROUP'],
  [/^ERR The XGROUP subcommand requires the key to exist/, 'NOGROUP'],
];

/** What ioredis says of a lost connection in words of its own options, as people would say it. */
const IN_PLAIN_WORDS: readonly [RegExp, string][] = [
  [/^Stream isn't writeable and enableOfflineQueue.*$/s, 'it is not connected'],
  [/^Reached the max retries per request limit.*$/s, 'the connection broke'],
  [/^Command aborted due to connection close/, 'the connection broke'],
  [/^Connection is closed\.?$/, 'the connection broke'],
  [
    /^Socket timeout\. Expecting data, but didn't receive any in (\d+)ms\.?$/,
    'no answer for $1 ms',
  ],
];

/** Words that Redis sends instead of executing. `ERR` is not among them: a script can fail with it halfway. */
const WORD = /^([A-Z]{3,})[ :]/;

/**
 * The reason when Redis (or ioredis, before sending) definitely did not act; undefined when nobody can tell.
 * The only place that looks at texts of Redis and ioredis.
 */
export function refusalReason(error: unknown): string | undefined {
  if (!isErrorLike(error)) return undefined;
  for (const [text, reason] of WORDLESS) if (text.test(error.message)) return reason;
  if (error.name !== 'ReplyError') return undefined;
  const word = WORD.exec(error.message)?.[1];
  return word === 'ERR' ? undefined : word;
}

/** The node that was asked does not have the key, or not for now. */
export function isElsewhere(error: unknown): boolean {
  const reason = error instanceof StoreRefusedError ? error.reason : refusalReason(error);
  return ['MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN'].includes(reason ?? '');
}

/** The one boundary between ioredis and the library: what comes out holds no argument of any command. */
export function storeError(error: unknown, asked: Asked): RivuletError {
  if (error instanceof RivuletError) return error;
  const cause = sanitised(error);
  const where = asked.key === undefined ? asked.operation : `${asked.operation} on ${asked.key}`;
  const reason = refusalReason(error);
  if (reason === undefined)
    return new StoreUnavailableError(
      `Redis did not answer ${where}: ${plain(cause)}. Whether it acted is not known; the call can be repeated`,
      { cause },
    );
  const advice = ADVICE[reason];
  return new StoreRefusedError(
    reason === 'NOT_SENT'
      ? `Redis was not asked ${where}: ${plain(cause)}. Nothing changed. ${advice}.`
      : `Redis refused ${where}: ${plain(cause)}. Nothing changed.${advice ? ` ${advice}.` : ''}`,
    { reason },
    { cause },
  );
}

/** The reply of a command, its errors translated. */
export async function answer<T>(asked: Asked, reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (error) {
    throw storeError(error, asked);
  }
}

/**
 * Name, code and text of an error, and nothing else. ioredis hangs the whole command with its arguments on each
 * error, and Redis repeats arguments after "with args beginning with". Where in a script it was helps nobody who reads it.
 */
export function sanitised(error: unknown): Error {
  const text = isErrorLike(error) ? error.message : String(error);
  const said = text
    .replace(/,? with args beginning with.*$/s, '')
    .replace(/\.? script: \w+, on @user_script:\d+\.?$/, '');
  const clean = new Error(said.slice(0, 500));
  if (isErrorLike(error)) {
    clean.name = error.name;
    if (typeof error.code === 'string') Object.assign(clean, { code: error.code });
  }
  return clean;
}

/** Of an error that `sanitised` made. */
export function plain({ message }: Error): string {
  for (const [text, said] of IN_PLAIN_WORDS)
    if (text.test(message)) return message.replace(text, said);
  return withoutPeriod(message);
}

/** Not `instanceof Error`: errors of sockets come from another realm where the library runs inside a `vm`. */
function isErrorLike(error: unknown): error is { name: string; message: string; code?: unknown } {
  return (
    typeof error === 'object' &&
    error !== null &&
    'message' in error &&
    typeof error.message === 'string'
  );
}
