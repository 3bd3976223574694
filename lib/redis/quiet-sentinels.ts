import type { Cluster, Redis } from 'ioredis';

/** What ioredis keeps to itself of how it reaches a server. */
interface Connector {
  connectToSentinel?(...args: unknown[]): Redis;
}

/**
 * With Sentinels a client has further ones, which listen to them for a new master. ioredis leaves these without a listener for
 * errors: each Sentinel that is away would be a stack on the console, once a minute and for each connection, past every logger.
 * Nothing follows from such an error: they are tried again, and whoever connects asks the others.
 */
export function quietSentinels(client: Redis | Cluster): void {
  const { connector } = client as unknown as { connector?: Connector };
  const connect = connector?.connectToSentinel;
  if (!connect) return;
  connector.connectToSentinel = function (this: unknown, ...args) {
    return connect.apply(this, args).on('error', () => {});
  };
}
