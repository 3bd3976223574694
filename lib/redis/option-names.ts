import type { RedisOptions } from 'ioredis';
import { nearestName } from '../core/message/options.js';

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

const ITSELF = 'what it holds is the connection itself';

/** What other clients and modules call the place where the server is. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  url: ITSELF,
  uri: ITSELF,
  options: ITSELF,
  config: ITSELF,
  redis: ITSELF,
  socket: 'host, port, path and tls stand beside each other',
  prefix: 'use namespace',
  redisOptions: 'what it holds stands beside "cluster"',
  nodes: 'a cluster is { cluster: ["host:port"] }',
  rootNodes: 'a cluster is { cluster: ["host:port"] }',
};

/**
 * One sentence for each option that ioredis would pass over without a word: instead of a misspelt `host` it takes
 * localhost, and there may be a server, too.
 */
export function unknownConnectionOptions(given: object): string[] {
  return Object.keys(given)
    .filter((name) => !Object.hasOwn(KNOWN, name))
    .map((name) => `connection: unknown option "${name}"${hint(name)}`);
}

function hint(name: string): string {
  const said = ELSEWHERE[name];
  if (said) return `; ${said}`;
  const nearest = nearestName(name, Object.keys(KNOWN));
  return nearest
    ? `, did you mean "${nearest}"?`
    : '; this version of the library knows no such option of ioredis';
}
