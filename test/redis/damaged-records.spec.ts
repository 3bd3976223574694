import { Redis } from 'ioredis';
import { Rivulet } from '../../lib/core/rivulet.js';
import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { newTransaction } from '../contract/halves.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { entries, newNamespace, openStores, session } from './helpers/open-stores.js';

describe('a record that somebody damaged', () => {
  const namespace = newNamespace();
  const keys = new Keys({ namespace });
  let server: TestRedis;
  let redis: Redis;
  let stores: RedisStores;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    stores = await openStores(server.url, { namespace });
  });
  afterAll(async () => {
    await stores.close();
    redis.disconnect();
    await server.stop();
  });

  it.each(['1000000000', '0', '-1', '2.5', 'many'])(
    'of a topic with %s queues is refused, and no queue is looked for',
    async (queues) => {
      await stores.topics.declare('orders', { queues: 1 });
      await redis.hset(keys.topic('orders').meta, 'queues', queues);
      const refusal = { code: 'STORE_REFUSED', reason: 'DAMAGED' };
      await expect(stores.topics.find('orders')).rejects.toMatchObject(refusal);
      await expect(stores.topics.declare('orders')).rejects.toMatchObject(refusal);
      await redis.hset(keys.topic('orders').meta, 'queues', '1');
      expect(await stores.topics.find('orders')).toMatchObject({ queues: 1 });
    },
  );

  it('among the names of topics, groups or members is left out', async () => {
    const { generation: _, ...orders } = await stores.topics.declare('orders', { queues: 1 });
    expect(orders.topic).toBe('orders');
    const join = {
      group: 'billing',
      mode: 'unordered',
      filterDigest: '',
      from: 'earliest',
    } as const;
    await stores.topics.joinGroup('orders', join);
    await redis.sadd(keys.topics, 'x}:y{z', 'a b', 't'.repeat(200));
    await redis.hset(
      keys.topic('orders').groups,
      'x y',
      'unordered ',
      'g'.repeat(500),
      'unordered ',
    );
    expect(await stores.topics.list()).toEqual(['orders']);
    expect((await stores.topics.groups('orders')).map(({ group }) => group)).toEqual(['billing']);
    await redis.zadd(keys.members, 1, 'm'.repeat(100_000));
    const { members } = await stores.members.beat('me');
    expect(members.map(({ member }) => member)).toEqual(['me']);
  });

  it('of a paused group pauses nobody, and others stay paused', async () => {
    await stores.paused.pause({ topic: 'orders', group: 'billing', since: 5 });
    await redis.hset(keys.paused, '%ZZ orders', '1');
    expect(await stores.paused.list()).toEqual([{ topic: 'orders', group: 'billing', since: 5 }]);
  });

  it('of a recurring send is left out, fails by its name when it is due, and stops no other', async () => {
    const own = await openStores(server.url, { namespace });
    const application = new Rivulet({ stores: own, nextRun: ({ cron }) => Date.parse(cron) });
    await redis.hset(keys.recurring, 'a', 'soon {}', 'b', '5 {', 'c', '5 {"topic":5}');
    await application.open();
    await application.recurring.set('orders', 1, { name: 'd', cron: '2200-01-01' });
    expect((await application.recurring.list()).map(({ name }) => name)).toEqual(['d']);
    await expect(application.recurring.fire('b')).rejects.toThrow('recurring send "b" is damaged');
    expect(await application.recurring.fire('a')).toBeNull();
    await application.stop(1_000);
  });

  it('of when a half is asked about is made anew, and none of another owner or a parked one', async () => {
    const { generation } = await stores.topics.declare('deleted', { queues: 1 });
    const queue = { topic: 'deleted', queue: 0, owner: 'o' };
    const halves = Array.from({ length: 3 }, () => ({
      ...{ id: newTransaction(), name: 'n', checkAfterMs: 600_000 },
      entries: entries('a'),
    }));
    await stores.halves.prepare({ ...queue, generation, halves: halves.slice(0, 2) });
    const other = { ...queue, owner: 'p' };
    await stores.halves.prepare({ ...other, generation, halves: halves.slice(2) });
    await stores.halves.park(queue, [{ id: halves[1]!.id, reason: 'none knows' }]);
    await redis.del(keys.halfQueue({ ...queue, minute: 0 }).checks);
    const claim = () => stores.halves.claimDue(queue, { limit: 9, leaseMs: 0, frames: false });
    expect(await claim()).toMatchObject({ halves: [], waiting: 1 });
    expect((await claim()).halves.map(({ id }) => id)).toEqual([halves[0]!.id]);
  });

  it('of a half is told of, and the halves beside it are claimed', async () => {
    const own = await openStores(server.url, { namespace });
    const { generation } = await own.topics.declare('halves', { queues: 1 });
    const queue = { topic: 'halves', queue: 0, owner: 'o' };
    const halves = Array.from({ length: 3 }, () => ({
      ...{ id: newTransaction(), name: 'n', checkAfterMs: 0 },
      entries: entries('body'),
    }));
    await own.halves.prepare({ ...queue, generation, halves });
    const { half } = keys.queue(queue);
    const [damaged] = await redis.hkeysBuffer(half);
    for (const content of [
      '',
      'o n 1 0 - 1 - -\n\u0000\u0000',
      '%ZZ n 1 0 - 1 - -\n',
      `o n 1 0 - 1 - -\n${'\u0000'.repeat(100_000)}`,
    ]) {
      await redis.hset(half, damaged!, content);
      const claim = await own.halves.claimDue(queue, { limit: 9, leaseMs: 0, frames: true });
      expect(claim.halves).toHaveLength(2);
      expect(claim.unreadable).toHaveLength(1);
    }
    const listed = await own.halves.list(queue, { count: 9 });
    expect(listed.filter(({ parked }) => parked !== null)).toHaveLength(1);
    await own.close();
  });

  it('of when delayed messages become visible makes them visible now', async () => {
    const ref = { topic: 'later', queue: 0 };
    const { generation } = await stores.topics.declare('later', { queues: 1 });
    const sends = session('later', generation);
    const inAnHour = (...bodies: string[]) =>
      entries(...bodies).map((entry) => ({ ...entry, due: { delayMs: 3_600_000 } }));
    await stores.log.append(sends.call(inAnHour('a', 'b', 'c')));
    expect(await stores.schedule.releaseDue(ref, 10)).toMatchObject({ released: 0 });
    await redis.del(keys.queue(ref).due);
    await stores.log.append(sends.call(inAnHour('d')));
    const some = await stores.schedule.releaseDue(ref, 2);
    expect(some.released).toBe(2);
    // One is left without a note: it need not wait for the time of those that have one.
    expect(some.nextDueAt! - some.now).toBeLessThanOrEqual(1_000);
    const rest = await stores.schedule.releaseDue(ref, 2);
    expect(rest.released).toBe(1);
    expect(rest.nextDueAt! - rest.now).toBeGreaterThan(1_000_000);
    expect(await stores.schedule.releaseDue(ref, 2)).toMatchObject({ released: 0 });
    expect(await redis.xlen(keys.queue(ref).log)).toBe(3);
    // Without any time left, the answer itself has to ask for the next call.
    await redis.del(keys.queue(ref).due);
    const { nextDueAt, now } = await stores.schedule.releaseDue(ref, 0);
    expect(nextDueAt).toBe(now);
    expect(await stores.schedule.releaseDue(ref, 2)).toMatchObject({
      released: 1,
      nextDueAt: null,
    });
  });
});
