import { Redis } from 'ioredis';
import { silentLogger } from '../../lib/core/runtime/logger.js';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import type { Harness, OpenHarness } from './harness.js';

/** One server for a test file and a namespace for each call; scripts are told the time. */
export function useRedis(): OpenHarness {
  let server: TestRedis;
  let operator: Redis;
  let namespaces = 0;
  beforeAll(async () => {
    server = await startRedis();
    operator = new Redis(server.url);
  });
  afterAll(async () => {
    operator.disconnect();
    await server.stop();
  });
  return () => openRedis({ url: server.url, namespace: `n${++namespaces}`, operator });
}

async function openRedis(options: {
  url: string;
  namespace: string;
  operator: Redis;
}): Promise<Harness> {
  const { url, namespace, operator } = options;
  const keys = new Keys({ namespace });
  const clock = new ManualClock(Date.now());
  const clients: RedisStores[] = [];
  const connect = async (): Promise<RedisStores> => {
    const client = new RedisStores({
      connection: url,
      namespace,
      now: () => clock.now(),
      logger: silentLogger,
    });
    clients.push(client);
    await client.open(10_000);
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
    now: () => clock.now(),
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}
