import { Redis } from 'ioredis';
import { halfOf } from '../contract/halves.js';
import { Keys } from '../../lib/redis/keys.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { newNamespace, openStores } from './helpers/open-stores.js';

const DAY_MS = 24 * 3_600_000;

describe('what is known about messages in the outbox', () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it('is kept for a day after it was last asked for', async () => {
    const namespace = newNamespace();
    const stores = await openStores(server.url, { namespace });
    const redis = new Redis(server.url);
    const { generation } = await stores.topics.declare('orders', { queues: 1 });
    const half = halfOf(['a']);
    const minute = Math.floor(1_700_000_000_000 / 60_000);
    const queue = { topic: 'orders', queue: 0, owner: 'd:1' };
    const { done, placed } = new Keys({ namespace }).halfQueue({ ...queue, minute });
    for (let round = 0; round < 2; round++) {
      await stores.halves.publish({ ...queue, generation, halves: [half] });
      await stores.halves.placeOnce('orders', half.id, { generation, queues: 1 });
      for (const key of [done, placed]) {
        expect(await redis.pttl(key)).toBeGreaterThan(DAY_MS - 60_000);
        await redis.pexpire(key, 600_000);
      }
    }
    redis.disconnect();
    await stores.close();
  });
});
