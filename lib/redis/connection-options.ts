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
import { decidedProblems, type ConnectionRole, profile } from './connection-profile.js';
import { judgeNames } from './option-names.js';

/**
 * Makes a client of its own for each call, with these options or stricter ones. The library closes it.
 */
export type RedisFactory = (role: ConnectionRole, options: RedisOptions) => Redis;

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
  if ('factory' in given) {
    const made = new WeakSet<Redis>();
    return {
      target: 'the Redis of the connection factory',
      blockMs,
      warnings: [],
      make: (role) => {
        const client = given.factory(role, profile(role, {}, context));
        const foreign = clientProblem(client);
        if (foreign) throw new InvalidOptionsError('RedisStores', [foreign]);
        if (made.has(client))
          throw new InvalidOptionsError('RedisStores', [
            'the connection factory returned the same client twice; each call must make a new one',
          ]);
        made.add(client);
        const found = factoryProblems(client.options, role === 'blocking' ? blockMs : 0);
        if (found.length === 0) return client;
        client.on('error', () => {});
        client.disconnect();
        throw new InvalidOptionsError(`RedisStores, connection factory (${role})`, found);
      },
    };
  }
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

/** The URL is taken apart here: ioredis would let its query overrule the options that keep messages safe. */
function readUrl(text: string): Given {
  if (text.startsWith('/')) return { problems: [], options: { path: text } };
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return { problems: ['connection is no URL; it should look like redis://localhost:6379'] };
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    return {
      problems: [
        `connection must begin with redis:// or rediss://, got: ${describeValue(url.protocol)}`,
      ],
    };
  const problems = [...url.searchParams.keys()]
    .filter((name) => name !== 'family')
    .map(
      (name) =>
        `connection: the URL parameter "${name}" is not supported; pass ioredis options instead`,
    );
  const options: RedisOptions = { host: url.hostname.replace(/^\[|\]$/g, '') || 'localhost' };
  if (url.port) options.port = Number(url.port);
  try {
    if (url.username) options.username = decodeURIComponent(url.username);
    if (url.password) options.password = decodeURIComponent(url.password);
  } catch {
    problems.push('connection: username and password must be percent-encoded in a URL');
  }
  if (url.pathname.length > 1) options.db = Number(url.pathname.slice(1));
  if (url.searchParams.has('family')) options.family = Number(url.searchParams.get('family'));
  if (url.protocol === 'rediss:') options.tls = {};
  return { problems, options };
}

function optionProblems(options: RedisOptions, blockMs: number): string[] {
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

/** Not `instanceof`: the application may have another copy of ioredis than the library finds. */
function clientProblem(made: unknown): string | undefined {
  const client = made as Partial<Redis> | null | undefined;
  if (typeof (made as { then?: unknown } | null)?.then === 'function')
    return 'the connection factory must make its client at once, got: a promise. What it waits for belongs into forRootAsync';
  if (client?.isCluster)
    return 'the connection factory must make a client of one server; a cluster is { cluster: ["host:port"] }';
  return client?.options && typeof client.disconnect === 'function'
    ? undefined
    : `the connection factory must make a client of ioredis, got: ${describeValue(made)}`;
}

function factoryProblems(options: RedisOptions, blockMs: number): string[] {
  const problems = optionProblems(options, blockMs);
  if (options.socketTimeout === undefined)
    problems.push('socketTimeout is missing: a dead connection would never be noticed');
  if (problems.length > 0)
    problems.push('pass the options the factory is given as second argument to new Redis()');
  return problems;
}

function describeTarget(options: RedisOptions): string {
  if (options.sentinels) {
    const hosts = options.sentinels.map(
      ({ host, port }) => `${host ?? 'localhost'}:${port ?? 26379}`,
    );
    return `master "${options.name}" of the sentinels ${hosts.join(', ')}`;
  }
  if (options.path) return options.path;
  const user = options.username || options.password ? `${options.username ?? ''}:***@` : '';
  const db = options.db ? `/${options.db}` : '';
  const { host: name = 'localhost' } = options;
  const host = name.includes(':') ? `[${name}]` : name;
  return `${options.tls ? 'rediss' : 'redis'}://${user}${host}:${options.port ?? 6379}${db}`;
}
