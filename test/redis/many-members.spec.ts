import { Redis } from 'ioredis';
import { Keys } from '../../lib/redis/keys.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { newNamespace, openStores } from './helpers/open-stores.js';

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

it('takes nobody for gone among more members than a beat answers', async () => {
  const namespace = newNamespace();
  const stores = await openStores(server.url, { namespace });
  const redis = new Redis(server.url);
  const beats = Array.from({ length: 11_000 }, (_, i) => [i + 1, `m${i}`]).flat();
  await redis.zadd(new Keys({ namespace }).members, ...beats);
  const { members } = await stores.members.beat('newest');
  // Those that are silent the longest, since they are to be found out.
  expect(members.map(({ member }) => member)).toEqual(
    Array.from({ length: 10_000 }, (_, i) => `m${i}`),
  );
  const asked = ['newest', 'stranger', 'm0', 'm10999'];
  expect(await stores.members.lastBeats(asked)).toMatchObject([
    { member: 'newest' },
    { member: 'm0', beatAt: 1 },
    { member: 'm10999', beatAt: 11_000 },
  ]);
  redis.disconnect();
  await stores.close();
});
