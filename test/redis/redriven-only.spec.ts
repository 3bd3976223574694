import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { entries, newNamespace, openStores, session } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

const HOUR_MS = 3_600_000;

describe('the group that a redriven message is for', () => {
  const namespace = newNamespace();
  const clock = new ManualClock(Date.now());
  const ref = { topic: 'orders', queue: 0, group: 'billing' };
  const own = ownServer();
  let stores: RedisStores;
  beforeAll(async () => {
    stores = await openStores(own.url, { namespace, now: () => clock.now() });
  });
  afterAll(() => stores.close());

  /** What the group has not been given yet. */
  async function readOne() {
    const reader = stores.deliveries.openReader('billing', 'c');
    const { signal } = new AbortController();
    const [entry] = await reader.read({ queues: [ref], perQueue: 9, blockMs: 0, signal });
    await reader.close();
    return entry!;
  }

  it('is remembered until the message is trimmed, and no longer', async () => {
    const { topics, deliveries, deadLetters, log } = stores;
    const settings = { queues: 1, retentionMs: HOUR_MS };
    const { generation } = await topics.declare('orders', settings);
    const how = { mode: 'unordered', filterDigest: '', from: 'earliest' } as const;
    await topics.joinGroup('orders', { group: 'billing', ...how });
    await log.append(session('orders', generation).call(entries('a')));
    const settlement = { kind: 'dead-letter', note: 'n' } as const;
    await deliveries.settle(ref, 'c', [{ ...(await readOne()), settlement }]);
    const [letter] = await deadLetters.list(ref, { count: 1 });
    const offset = await deadLetters.redrive(ref, letter!.id);

    const only = () => own.redis.hgetall(new Keys({ namespace }).queue(ref).only);
    await log.trim(ref, 100);
    expect(await only()).toEqual({ [offset!]: 'billing' });
    const ack = { kind: 'ack' } as const;
    await deliveries.settle(ref, 'c', [{ ...(await readOne()), settlement: ack }]);
    await clock.advance(2 * HOUR_MS);
    expect(await log.trim(ref, 100)).toBeGreaterThan(0);
    expect(await only()).toEqual({});
  });
});
