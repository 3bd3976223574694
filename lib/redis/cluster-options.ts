import type { ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { describeValue, integerProblem } from '../core/message/options.js';
import { CLUSTER_PROFILE, ClusterClient, type NodeAddress } from './cluster-client.js';
import { profile } from './connection-profile.js';
import { isOfCluster } from './option-names.js';

/** Where a node of a cluster is. */
export interface ClusterSeed {
  host: string;
  port?: number;
}

/**
 * A Redis Cluster. Some of its nodes are enough: the others are learned from them.
 *
 * The options beside `cluster` are those of ioredis for each node: username, password, tls, socketTimeout, and so on.
 */
export interface ClusterConnection extends Omit<
  RedisOptions,
  'host' | 'port' | 'path' | 'sentinels' | 'name' | 'db'
> {
  /** `host:port`, or `{ host, port }`. */
  cluster: readonly (string | ClusterSeed)[];
  /** Where nodes are reached whose own addresses mean nothing here, by `host:port` (containers, tunnels). */
  natMap?: Readonly<Record<NodeAddress, { host: string; port: number }>>;
  /** How hosts of `cluster` become addresses. Default: with `tls` not at all, since certificates name hosts. */
  dnsLookup?: NonNullable<ClusterOptions['dnsLookup']>;
  /** How long a node may take to tell who has which slots. Default 5 000 ms. */
  slotsRefreshTimeout?: number;
}

/** What is for the cluster as a whole, and not for each node. */
export type ClusterSettings = Pick<
  ClusterConnection,
  'natMap' | 'dnsLookup' | 'slotsRefreshTimeout'
>;

/** How to reach a cluster. */
export interface ClusterPlan {
  /** One that was named by the user; `host:port`. */
  readonly seed: NodeAddress;
  /** For commands: a connection for each primary. */
  connect(): ClusterClient;
  /** For one blocking reader. It ends when its connection does: its key may be elsewhere by then. */
  reader(address: NodeAddress): Redis;
}

const DEFAULT_PORT = 6379;
/** What belongs to one server and means nothing, or harm, for the nodes of a cluster. */
const OF_ONE_SERVER = ['host', 'port', 'path', 'sentinels', 'name', 'db'] as const;

/** Every problem of `{ cluster }`, and what it comes to. */
export function readCluster(connection: ClusterConnection): {
  problems: string[];
  seeds: ClusterSeed[];
  nodes: RedisOptions;
  settings: ClusterSettings;
} {
  const { cluster, natMap, dnsLookup, slotsRefreshTimeout, ...others } = connection;
  const settings = {
    ...(natMap === undefined ? {} : { natMap }),
    ...(dnsLookup === undefined ? {} : { dnsLookup }),
    ...(slotsRefreshTimeout === undefined ? {} : { slotsRefreshTimeout }),
  };
  const nodes: RedisOptions = Object.fromEntries(
    Object.entries(others).filter(([name]) => !isOfCluster(name)),
  );
  const problems = OF_ONE_SERVER.filter((name) => name in nodes).map((name) =>
    name === 'db'
      ? 'connection: a cluster has database 0 only; leave db out, and use namespace to keep applications apart'
      : `connection: ${name} is for one server; with cluster, leave it out`,
  );
  for (const name of ['retryStrategy', 'reconnectOnError'] as const)
    if (name in nodes) problems.push(`connection: ${name} is decided by the library; leave it out`);
  problems.push(...decidedProblems(others), ...settingProblems(settings));
  if (!Array.isArray(cluster) || cluster.length === 0)
    return {
      problems: [
        ...problems,
        `connection: cluster must list at least one node as "host:port", got: ${describeValue(cluster)}`,
      ],
      seeds: [],
      nodes,
      settings,
    };
  const seeds: ClusterSeed[] = [];
  for (const node of cluster) {
    const seed = readSeed(node);
    if (seed) seeds.push(seed);
    else
      problems.push(
        `connection: a node of cluster must be "host:port" or { host, port }, got: ${describeValue(node)}; ` +
          'username, password and tls stand beside cluster',
      );
  }
  return { problems, seeds, nodes, settings };
}

function decidedProblems(given: object): string[] {
  const decided: Readonly<Record<string, unknown>> = CLUSTER_PROFILE;
  return Object.entries(given)
    .filter(([name, value]) => isOfCluster(name) && value !== null && value !== decided[name])
    .map(([name, value]) => {
      const mine = decided[name];
      return mine === undefined || mine === null || typeof mine === 'function'
        ? `connection: ${name} is decided by the library; leave it out`
        : `connection: ${name} is decided by the library (${describeValue(mine)}), got: ${describeValue(value)}`;
    });
}

function settingProblems({ natMap, dnsLookup, slotsRefreshTimeout }: ClusterSettings): string[] {
  const problems = [];
  if (natMap !== undefined && (typeof natMap !== 'object' || natMap === null))
    problems.push(
      `connection: natMap must be an object of host:port to { host, port }, got: ${describeValue(natMap)}`,
    );
  if (dnsLookup !== undefined && typeof dnsLookup !== 'function')
    problems.push(`connection: dnsLookup must be a function, got: ${describeValue(dnsLookup)}`);
  if (slotsRefreshTimeout !== undefined)
    problems.push(
      integerProblem('connection: slotsRefreshTimeout', slotsRefreshTimeout, { min: 1 }),
    );
  return problems.filter((problem) => problem !== undefined);
}

export function planCluster(
  given: {
    seeds: readonly ClusterSeed[];
    nodes: RedisOptions;
    settings: ClusterSettings;
  },
  context: { namespace: string; blockMs: number; create(options: RedisOptions): Redis },
): ClusterPlan {
  const { seeds, nodes, settings } = given;
  const first = seeds[0]!;
  return {
    seed: `${first.host}:${first.port ?? DEFAULT_PORT}`,
    connect: () =>
      new ClusterClient([...seeds], {
        ...CLUSTER_PROFILE,
        // Certificates name hosts, not addresses.
        ...(nodes.tls ? { dnsLookup: (host, callback) => callback(null, host) } : {}),
        ...settings,
        redisOptions: { ...profile('commands', nodes, context), replyMapping: 'legacy' },
      }),
    reader: (address) => {
      const colon = address.lastIndexOf(':');
      const [host, port] = [address.slice(0, colon), Number(address.slice(colon + 1))];
      const options = { ...nodes, host, port };
      return context.create({
        ...profile('blocking', options, context),
        retryStrategy: () => null,
      });
    },
  };
}

export function describeCluster(seeds: readonly ClusterSeed[], nodes: RedisOptions): string {
  const user = nodes.username || nodes.password ? `${nodes.username ?? ''}:***@` : '';
  const hosts = seeds.map(({ host, port }) => `${host}:${port ?? DEFAULT_PORT}`);
  return `the Redis Cluster at ${user}${hosts.join(', ')}${nodes.tls ? ' (TLS)' : ''}`;
}

function readSeed(node: unknown): ClusterSeed | undefined {
  if (typeof node === 'object' && node !== null) {
    const { host, port = DEFAULT_PORT } = node as Partial<ClusterSeed>;
    return typeof host === 'string' && host !== '' && isPort(port) ? { host, port } : undefined;
  }
  if (typeof node !== 'string') return undefined;
  const [, ipv6, host = ipv6, port] = /^(?:\[([^\]]+)\]|([^[\]/@]+?))(?::(\d+))?$/.exec(node) ?? [];
  if (!host) return undefined;
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  return isPort(number) ? { host, port: number } : undefined;
}

function isPort(port: unknown): boolean {
  return Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536;
}
