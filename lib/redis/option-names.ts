import type { ClusterOptions, RedisOptions } from 'ioredis';
import { misspeltName } from '../core/message/options.js';

/** What ioredis 6.0 takes. One that is missing here does not compile. */
const KNOWN: Readonly<Record<keyof RedisOptions, true>> = {
  Connector: true,
  autoPipeliningIgnoredCommands: true,
  autoResendUnfulfilledCommands: true,
  autoResubscribe: true,
  blockingTimeout: true,
  blockingTimeoutGrace: true,
  clientInfoTag: true,
  commandQueue: true,
  commandTimeout: true,
  connectTimeout: true,
  connectionName: true,
  db: true,
  disableClientInfo: true,
  disconnectTimeout: true,
  enableAutoPipelining: true,
  enableOfflineQueue: true,
  enableReadyCheck: true,
  enableTLSForSentinelMode: true,
  failoverDetector: true,
  family: true,
  himportFieldsets: true,
  host: true,
  keepAlive: true,
  keyPrefix: true,
  lazyConnect: true,
  maxLoadingRetryTime: true,
  maxRetriesPerRequest: true,
  monitor: true,
  name: true,
  natMap: true,
  noDelay: true,
  offlineQueue: true,
  password: true,
  path: true,
  port: true,
  preferredSlaves: true,
  protocol: true,
  readOnly: true,
  reconnectOnError: true,
  replyMapping: true,
  retryStrategy: true,
  role: true,
  scripts: true,
  sentinelCommandTimeout: true,
  sentinelMaxConnections: true,
  sentinelPassword: true,
  sentinelReconnectStrategy: true,
  sentinelRetryStrategy: true,
  sentinelTLS: true,
  sentinelUsername: true,
  sentinels: true,
  showFriendlyErrorStack: true,
  socketTimeout: true,
  stringNumbers: true,
  tls: true,
  updateSentinels: true,
  username: true,
};

type ClusterOnly = Exclude<keyof ClusterOptions, keyof RedisOptions | 'redisOptions'>;

/** What its Cluster takes besides. */
const OF_CLUSTERS: Readonly<Record<ClusterOnly, true>> = {
  clusterNodeRetryStrategy: true,
  clusterRetryStrategy: true,
  dnsLookup: true,
  maxRedirections: true,
  resolveSrv: true,
  retryDelayOnClusterDown: true,
  retryDelayOnFailover: true,
  retryDelayOnMoved: true,
  retryDelayOnTryAgain: true,
  scaleReads: true,
  shardedSubscribers: true,
  slotsRefreshInterval: true,
  slotsRefreshTimeout: true,
  useSRVRecords: true,
};

const NAMES = ['cluster', ...Object.keys(KNOWN), ...Object.keys(OF_CLUSTERS)];

const ITSELF = 'what it holds is the connection itself';

/** What other clients and modules call the place where the server is. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  url: ITSELF,
  uri: ITSELF,
  options: ITSELF,
  config: ITSELF,
  redis: ITSELF,
  socket: 'host, port, path and tls stand beside each other',
  hostname: 'use host',
  user: 'use username',
  pass: 'use password',
  auth: 'use password',
  database: 'use db',
  prefix: 'use namespace',
  redisOptions: 'what it holds stands beside "cluster"',
  nodes: 'a cluster is { cluster: ["host:port"] }',
  rootNodes: 'a cluster is { cluster: ["host:port"] }',
};

export function isOfCluster(name: string): name is ClusterOnly {
  return Object.hasOwn(OF_CLUSTERS, name);
}

/**
 * Judges the names of options for a client of one server, or of one node.
 *
 * Refused is a name that was most likely meant to be another: instead of a misspelt `host` ioredis takes localhost, and
 * there may be a server, too. Any other one may be of a later ioredis, and is told of.
 */
export function judgeNames(given: RedisOptions): { problems: string[]; warnings: string[] } {
  // A Connector of the user takes options of its own.
  if (given.Connector) return { problems: [], warnings: [] };
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(KNOWN, name));
  const idle = unknown.filter(isOfCluster);
  const others = unknown
    .filter((name) => !isOfCluster(name))
    .map((name) => ({ name, hint: hint(name) }));
  const passedOn = others
    .filter((other) => other.hint === undefined)
    .map(({ name }) => `"${name}"`);
  const warnings = [];
  if (idle.length > 0)
    warnings.push(`connection: only a cluster has a use for ${idle.join(', ')}; not used here`);
  if (passedOn.length > 0)
    warnings.push(
      `connection: the library does not know ${passedOn.join(', ')} and passes it on to ioredis`,
    );
  return {
    problems: others
      .filter((other) => other.hint !== undefined)
      .map((other) => `connection: unknown option "${other.name}"${other.hint}`),
    warnings,
  };
}

/** What to write instead, if that is known. */
function hint(name: string): string | undefined {
  if (Object.hasOwn(ELSEWHERE, name)) return `; ${ELSEWHERE[name]}`;
  const meant = misspeltName(name, NAMES);
  return meant && `, did you mean "${meant}"?`;
}
