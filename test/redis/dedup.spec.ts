import { Redis } from 'ioredis';
import { claimed, completed, type DedupRef } from '../../lib/core/store/dedup-store.js';
import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { newNamespace, openStores } from './helpers/open-stores.js';

const ORDER = { topic: 'orders', group: 'billing' };
const MOMENT = '0191f0c2-ab';
const REST = '17-7000-8123-456789abc';
const refs = Array.from({ length: 100 }, (_, i) => ({
  ...ORDER,
  key: `${MOMENT}${REST}${100 + i}`,
}));
const LEASE = 30_000;
const TTL = 600_000;
const CLAIM = { owner: 'a', leaseMs: LEASE };

describe('dedup records of messages by their ids', () => {
  let server: TestRedis;
  let redis: Redis;
  let stores: RedisStores;
  let hash: string;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  beforeEach(async () => {
    const namespace = newNamespace();
    stores = await openStores(server.url, { namespace });
    hash = new Keys({ namespace }).dedupRecords(ORDER, MOMENT);
  });
  afterEach(() => stores.close());
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  const begin = (ref: DedupRef, leaseMs = LEASE) =>
    claimed(stores.dedup, ref, { ...CLAIM, leaseMs });
  const complete = (ref: DedupRef, ttlMs = TTL) =>
    completed(stores.dedup, ref, { owner: 'a', ttlMs });

  it('share a hash with those of the same moment', async () => {
    await Promise.all(refs.map((ref) => begin(ref)));
    expect(await redis.hlen(hash)).toBe(refs.length);
    expect(await redis.hget(hash, `${REST}100`)).toMatch(/^P \d+ a$/);
    await Promise.all(refs.map((ref) => complete(ref)));
    expect(await redis.hlen(hash)).toBe(refs.length);
    expect(await redis.hget(hash, `${REST}199`)).toMatch(/^D \d+ a$/);
  });

  it('lie in the same place for whoever knows that the key is a message id', async () => {
    const ref = stores.dedup.recordOf(refs[0]!, { isMessageId: true });
    expect(await begin(ref)).toEqual({ state: 'new' });
    const other = { owner: 'b', leaseMs: LEASE };
    expect(await claimed(stores.dedup, refs[0]!, other)).toMatchObject({ state: 'busy' });
    expect(await redis.hget(hash, `${REST}100`)).toMatch(/^P \d+ a$/);
  });

  it.each([
    ['an id of another kind', `${MOMENT}17-4000-8123-456789abcdef`, true],
    ['what only looks like one', `${MOMENT}17-7000-8123-456789abcdeg`, false],
  ])('leave %s by itself', async (_, key, isMessageId) => {
    const ref = stores.dedup.recordOf({ ...ORDER, key }, { isMessageId });
    expect(await begin(ref)).toEqual({ state: 'new' });
    expect(await redis.exists(hash)).toBe(0);
    expect(await complete(ref)).toBe('completed');
  });

  it('leave in short runs again after a call for many of them failed', async () => {
    const calls = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
    const user = { username: 'narrow', password: 'secret' };
    const may = (...rights: string[]) =>
      redis.call('ACL', 'SETUSER', user.username, 'on', `>${user.password}`, '~*', ...rights);
    await may('+@all');
    const url = Object.assign(new URL(server.url), user).href;
    const narrow = await openStores(url, { namespace: newNamespace() });
    const { dedup } = narrow;
    await may('-evalsha');
    const failed = await Promise.allSettled(refs.map((ref) => claimed(dedup, ref, CLAIM)));
    expect(new Set(failed.map(({ status }) => status))).toEqual(new Set(['rejected']));
    await expect(completed(dedup, refs[0]!, { owner: 'a', ttlMs: TTL })).rejects.toThrow('evalsha');
    await may('+evalsha');
    for (const ref of refs) await claimed(dedup, ref, CLAIM);
    const before = await calls();
    await Promise.all(refs.slice(0, 48).map((ref) => dedup.abandon(ref, CLAIM.owner)));
    expect((await calls()) - before).toBe(3);
    await narrow.close();
  });

  it('are kept as long as the one that is kept longest, and not for ever', async () => {
    await begin(refs[0]!);
    expect(await redis.pttl(hash)).toBeGreaterThan(LEASE);
    await complete(refs[0]!);
    const kept = await redis.pttl(hash);
    expect(kept).toBeGreaterThan(TTL);
    expect(kept).toBeLessThan(1.2 * TTL);
    // One that is kept for a shorter time takes nothing from the others.
    await begin(refs[1]!);
    await complete(refs[1]!, 1_000);
    expect(await redis.pttl(hash)).toBeGreaterThan(TTL);
    await redis.pexpire(hash, TTL - 1_000);
    await begin(refs[2]!);
    await complete(refs[2]!);
    expect(await redis.pttl(hash)).toBeGreaterThan(TTL);
  });

  it('count as none where something else stands, and take its place', async () => {
    await redis.set(hash, 'of somebody else');
    expect(await begin(refs[0]!)).toEqual({ state: 'new' });
    await redis.hset(hash, `${REST}101`, 'no record');
    expect(await begin(refs[1]!)).toEqual({ state: 'new' });
    expect(await redis.hlen(hash)).toBe(2);
  });

  it('are looked up together, those that begin and those that end, however they take turns', async () => {
    await Promise.all(refs.slice(0, 40).map((ref) => begin(ref)));
    await redis.config('RESETSTAT');
    await Promise.all(refs.slice(0, 40).flatMap((ref, i) => [complete(ref), begin(refs[40 + i]!)]));
    const [, lookups] = /cmdstat_hmget:calls=(\d+),/.exec(await redis.info('commandstats'))!;
    // One for each kind in each run; one for each record if they lay side by side.
    expect(Number(lookups)).toBeLessThanOrEqual(6);
    expect(await redis.hget(hash, `${REST}139`)).toMatch(/^D /);
    expect(await redis.hget(hash, `${REST}140`)).toMatch(/^P /);
  });
});
