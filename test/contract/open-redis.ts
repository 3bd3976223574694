import { randomBytes } from 'node:crypto';
import { type Cluster, Redis } from 'ioredis';
import { silentLogger } from '../../lib/core/runtime/logger.js';
import { Keys } from '../../lib/redis/keys.js';
import type { RedisConnection } from '../../lib/redis/connection-options.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { clusterConnection, clusterOperator } from '../helpers/cluster.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { sharedServer, waitForServer } from '../helpers/servers.js';
import { asUser, leastRights, refusals } from '../redis/helpers/acl.js';
import type { Harness, OpenHarness } from './harness.js';

/**
 * One server for a test file and a namespace for each call; scripts are told the time. The stores are a user with no more
 * rights than docs/redis.acl gives, and must never be refused anything.
 */
export function useRedis(): OpenHarness {
  let server: TestRedis;
  let operator: Redis;
  let url: string;
  let namespaces = 0;
  beforeAll(async () => {
    server = await startRedis();
    operator = new Redis(server.url);
    url = await asUser(server.url, 'least', leastRights('*'));
  });
  afterAll(async () => {
    const refused = await refusals(operator);
    operator.disconnect();
    await server.stop();
    expect(refused).toEqual([]);
  });
  return () => openRedis({ connection: url, namespace: `n${++namespaces}`, operator });
}

/** The cluster that all test files share, and a namespace for each call. */
export function useCluster(): OpenHarness {
  const prefix = randomBytes(4).toString('hex');
  let nodes: string;
  let operator: Cluster;
  let namespaces = 0;
  waitForServer('cluster');
  beforeAll(async () => {
    nodes = await sharedServer('cluster');
    operator = clusterOperator(nodes);
  });
  afterAll(() => operator.disconnect());
  return () =>
    openRedis({
      connection: clusterConnection(nodes),
      namespace: `${prefix}-${++namespaces}`,
      operator,
    });
}

async function openRedis(options: {
  connection: RedisConnection;
  namespace: string;
  operator: Redis | Cluster;
}): Promise<Harness> {
  const { connection, namespace, operator } = options;
  const keys = new Keys({ namespace });
  const clock = new ManualClock(Date.now());
  const clients: RedisStores[] = [];
  const connect = async (): Promise<RedisStores> => {
    const client = new RedisStores({
      connection,
      namespace,
      now: () => clock.now(),
      logger: silentLogger,
    });
    clients.push(client);
    await client.open(20_000);
    return client;
  };
  return {
    stores: await connect(),
    tamper: {
      addForeign: async (ref, fields) =>
        String(await operator.call('xadd', keys.queue(ref).log, '*', ...fields)),
      deleteEntry: async (ref, offset) => void (await operator.xdel(keys.queue(ref).log, offset)),
      dropGroup: async (ref) =>
        void (await operator.xgroup('DESTROY', keys.queue(ref).log, ref.group)),
    },
    sibling: connect,
    advance: (ms) => clock.advance(ms),
    jump: (ms) => clock.set(clock.now() + ms),
    now: () => clock.now(),
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}
