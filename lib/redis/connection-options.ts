import type { Redis, RedisOptions } from 'ioredis';
import { InvalidOptionsError } from '../core/message/errors.js';
import { namespaceProblem } from '../core/message/names.js';
import {
  describeValue,
  given as onlyGiven,
  integerProblem,
  unknownOptions,
} from '../core/message/options.js';
import type { Logger } from '../core/runtime/logger.js';
import {
  type ClusterConnection,
  type ClusterPlan,
  type ClusterSeed,
  type ClusterSettings,
  describeCluster,
  planCluster,
  readCluster,
} from './cluster-options.js';
import { clientsOf, type RedisFactory } from './connection-factory.js';
import { type ConnectionRole, optionProblems, profile } from './connection-profile.js';
import { describeTarget, readUrl } from './connection-url.js';
import { judgeNames } from './option-names.js';

/** URL, ioredis options, `{ sentinels, name }`, `{ cluster: ['host:port'] }`, or a factory. */
export type RedisConnection = string | RedisOptions | RedisFactory | ClusterConnection;

export interface RedisStoresOptions {
  connection: RedisConnection;
  /** All keys begin with it, in braces. Applications with different namespaces never meet. */
  namespace: string;
  /** Hears about connections. Default: nobody. */
  logger?: Logger;
  /** Longest wait of a blocking read, in milliseconds, 1 to 5 000. Default 5 000. */
  blockMs?: number;
  /** Accept a server that evicts keys when memory is short, which loses messages silently. Default false. */
  allowEviction?: boolean;
  /** Time for tests, Unix ms, instead of the server's. */
  now?: () => number;
}

/** What the options come to. */
export interface ConnectionPlan {
  /** For people: no password. */
  readonly target: string;
  readonly blockMs: number;
  /** What is allowed and should be known. */
  readonly warnings: readonly string[];
  /** A client of one server. */
  make(role: ConnectionRole): Redis;
  /** Set where there is a cluster instead. */
  readonly cluster?: ClusterPlan;
}

const KNOWN = ['connection', 'namespace', 'logger', 'blockMs', 'allowEviction', 'now'] as const;
const LONGEST_BLOCK_MS = 5_000;

/**
 * Check all options and tell how to connect.
 *
 * @throws InvalidOptionsError every problem at once; no text holds a password.
 */
export function planConnection(
  options: RedisStoresOptions,
  create: (options: RedisOptions) => Redis,
): ConnectionPlan {
  const blockMs = options.blockMs ?? LONGEST_BLOCK_MS;
  const given = readConnection(options.connection);
  const names = judgeNames('options' in given ? given.options : {});
  const problems = [
    ...unknownOptions(options, KNOWN),
    namespaceProblem(options.namespace),
    integerProblem('blockMs', blockMs, { min: 1, max: LONGEST_BLOCK_MS }),
    ...given.problems,
    ...names.problems,
  ].filter((problem) => problem !== undefined);
  if ('options' in given) problems.push(...optionProblems(given.options, blockMs));
  if (problems.length > 0) throw new InvalidOptionsError('RedisStores', problems);

  const context = { namespace: options.namespace, blockMs };
  if ('factory' in given)
    return {
      target: 'the Redis of the connection factory',
      blockMs,
      warnings: [],
      make: clientsOf(given.factory, context),
    };
  const user = 'options' in given ? given.options : {};
  const plan = {
    blockMs,
    warnings:
      user.tls?.rejectUnauthorized === false
        ? [
            ...names.warnings,
            'tls.rejectUnauthorized is false: anybody on the way can pose as Redis and read the password.',
          ]
        : names.warnings,
    make: (role: ConnectionRole) => create(profile(role, user, context)),
  };
  if (!('seeds' in given)) return { ...plan, target: describeTarget(user) };
  const cluster = planCluster({ ...given, nodes: user }, { ...context, create });
  return { ...plan, target: describeCluster(given.seeds, user), cluster };
}

type Given = { problems: string[] } & (
  | { options: RedisOptions }
  | { options: RedisOptions; seeds: ClusterSeed[]; settings: ClusterSettings }
  | { factory: RedisFactory }
  | object
);

function readConnection(connection: RedisConnection): Given {
  if (typeof connection === 'function') return { problems: [], factory: connection };
  if (typeof connection === 'string') return readUrl(connection);
  if (typeof connection !== 'object' || connection === null || Array.isArray(connection))
    return {
      problems: [
        `connection must be a URL, ioredis options or a factory, got: ${describeValue(connection)}`,
      ],
    };
  // What it says of host and port are texts, and those of another kind than ioredis reads.
  if ('searchParams' in connection)
    return { problems: ['connection must be a URL as a text; pass its href'] };
  if ('duplicate' in connection)
    return {
      problems: [
        'connection must not be a client that is in use elsewhere; pass its options, or a factory',
      ],
    };
  if ('cluster' in connection) {
    const { nodes, ...read } = readCluster({
      ...onlyGiven(connection),
      cluster: connection.cluster,
    });
    return { ...read, options: nodes };
  }
  // Without what is undefined: it would take the place of a default.
  const said = onlyGiven(connection);
  const problems = (['retryStrategy', 'reconnectOnError'] as const)
    .filter((name) => name in said)
    .map((name) => `connection: ${name} is decided by the library; leave it out`);
  return { problems, options: said };
}
