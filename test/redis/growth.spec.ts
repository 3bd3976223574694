import { Redis } from 'ioredis';
import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { interruptedRegistry } from './helpers/interrupted-registry.js';
import { newNamespace, openStores } from './helpers/open-stores.js';

/** More commands than a growth sends. */
const MOST_COMMANDS = 40;
const GROUP = { group: 'billing', mode: 'ordered', filterDigest: '', from: 'latest' } as const;

describe('a process that dies while it makes a topic grow', () => {
  let server: TestRedis;
  let stores: RedisStores;
  let keys: Keys;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    const namespace = newNamespace();
    keys = new Keys({ namespace });
    stores = await openStores(server.url, { namespace });
  });
  afterEach(() => stores.close());

  it('leaves what the next one who looks the topic up completes, at whatever command it dies', async () => {
    let deaths = 0;
    for (let nth = 0; nth < MOST_COMMANDS; nth++) {
      const topic = `orders-${nth}`;
      const queue = (number: number) => ({ topic, queue: number, group: GROUP.group });
      await stores.topics.declare(topic, { queues: 2 });
      await stores.topics.joinGroup(topic, GROUP);
      const dying = { stores, keys, nth, before: 'dies' } as const;
      const { registry, happened } = interruptedRegistry(dying);
      await registry.alter(topic, { queues: 4 }).catch(() => undefined);
      if (!happened()) break;
      deaths += 1;
      const info = (await stores.topics.find(topic))!;
      if (info.queues === 2) continue;
      expect((await stores.topics.grown()).get(topic)).toBe(4);
      for (const number of [2, 3]) {
        const claim = { owner: 'a', leaseMs: 1_000 };
        expect(await stores.leases.acquire(queue(number), claim)).toMatchObject({
          state: 'acquired',
        });
      }
      // A growth that is not complete lets no other one begin.
      expect(await stores.topics.alter(topic, { queues: 8 })).toMatchObject({ queues: 8 });
    }
    expect(deaths).toBeGreaterThan(8);
    expect(deaths).toBeLessThan(MOST_COMMANDS);
  });
});

describe('a queue that was lost after its topic grew', () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it.each(['earlier', 'later'])(
    'keeps an ordered group that joined %s out of no queue that was added',
    async (joined) => {
      const namespace = newNamespace();
      const stores = await openStores(server.url, { namespace });
      await stores.topics.declare('orders', { queues: 1 });
      const join = { ...GROUP, from: 'earliest' } as const;
      if (joined === 'earlier') await stores.topics.joinGroup('orders', join);
      await stores.topics.alter('orders', { queues: 2 });
      const { meta, log } = new Keys({ namespace }).queue({ topic: 'orders', queue: 0 });
      // The library itself deletes with UNLINK, and may be allowed nothing else.
      const operator = new Redis(server.url);
      await operator.del(meta, log);
      operator.disconnect();
      await stores.topics.joinGroup('orders', join);
      const added = { topic: 'orders', queue: 1, group: GROUP.group };
      expect(await stores.leases.acquire(added, { owner: 'a', leaseMs: 1_000 })).toMatchObject({
        state: 'acquired',
      });
      await stores.close();
    },
  );
});
