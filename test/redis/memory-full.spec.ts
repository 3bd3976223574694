import { Redis } from 'ioredis';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { entries, frame, openStores, session } from './helpers/open-stores.js';

describe('when memory is full', () => {
  const queue = { topic: 'orders', queue: 0 };
  const ref = { ...queue, group: 'billing' };
  let server: TestRedis;
  let redis: Redis;
  let stores: RedisStores;
  let producer: ReturnType<typeof session>;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    stores = await openStores(server.url);
    const { generation } = await stores.topics.declare('orders', { queues: 1 });
    const join = {
      group: 'billing',
      mode: 'unordered',
      filterDigest: '',
      from: 'earliest',
    } as const;
    await stores.topics.joinGroup('orders', join);
    producer = session('orders', generation);
    await stores.log.append(producer.call(entries('a', 'b', 'c', 'd')));
    const late = { frame: frame('late'), due: { delayMs: 1 } };
    await stores.log.append(producer.call([late]));
    await stores.agenda.note('work', 0);
    await redis.config('SET', 'maxmemory', '1');
  });
  afterAll(async () => {
    redis.disconnect();
    await stores.close();
    await server.stop();
  });

  it('new messages are refused, and their number stays free', async () => {
    const call = producer.call(entries('e'));
    await expect(stores.log.append(call)).rejects.toMatchObject({ reason: 'OOM' });
    await redis.config('SET', 'maxmemory', '0');
    expect(await stores.log.append(call)).toMatchObject({ state: 'appended', repeat: false });
    await redis.config('SET', 'maxmemory', '1');
  });

  it('scheduled messages stay scheduled', async () => {
    await expect(stores.schedule.releaseDue(queue, 10)).rejects.toMatchObject({ reason: 'OOM' });
    expect(await stores.schedule.count(queue)).toBe(1);
  });

  it('consuming goes on: read, ack, retry, dead-letter, claim, renew, reclaim, trim', async () => {
    const { deliveries } = stores;
    const { signal } = new AbortController();
    const reader = deliveries.openReader('billing', 'c');
    const delivered = await reader.read({ queues: [queue], perQueue: 9, blockMs: 0, signal });
    const [a, b, c, d] = delivered;
    expect(await deliveries.settle(ref, 'c', [{ ...a!, settlement: { kind: 'ack' } }])).toEqual([
      'settled',
    ]);
    expect(
      await deliveries.settle(ref, 'c', [
        { ...b!, settlement: { kind: 'retry', delayMs: 0, history: 'h' } },
        { ...c!, settlement: { kind: 'dead-letter', note: 'n' } },
      ]),
    ).toEqual(['settled', 'settled']);
    const claim = { consumer: 'c', limit: 5, suspect: true };
    expect((await deliveries.claimDue(ref, claim)).entries).toHaveLength(1);
    const renewal = { consumer: 'c', inHand: [d!], swallowedAfterMs: 60_000 };
    expect(await deliveries.renew(ref, renewal)).toEqual({ lost: [], released: 0 });
    expect(await deliveries.reclaim(ref, 'c', 10)).toMatchObject({ left: 0 });
    expect(await stores.log.trim(queue, 100)).toBe(0);
    const [dead] = await stores.deadLetters.list(ref, { count: 5 });
    await expect(stores.deadLetters.redrive(ref, dead!.id)).rejects.toMatchObject({
      reason: 'OOM',
    });
    expect(await stores.deadLetters.remove(ref, [dead!.id])).toBe(1);
  });

  it('members beat, work is taken, and the fate of a send can be asked for', async () => {
    await stores.members.beat('m');
    const { taken } = await stores.agenda.take({ limit: 5, leaseMs: 1_000 });
    await stores.agenda.finish(taken[0]!.work, taken[0]!.version, null);
    const reopen = { ...queue, session: producer.id, epoch: 2, asked: [{ epoch: 1, number: 1 }] };
    expect(await stores.log.reopen(reopen)).toMatchObject({ state: 'open' });
  });
});
