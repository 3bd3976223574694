import { Redis } from 'ioredis';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import type { HalfCall } from '../../lib/core/store/half-message-store.js';
import { newTransaction, statesOf } from '../contract/halves.js';
import { Rivulet } from '../../lib/core/rivulet.js';
import { entries, frame, newNamespace, openStores, session } from './helpers/open-stores.js';

describe('when memory is full', () => {
  const queue = { topic: 'orders', queue: 0 };
  const ref = { ...queue, group: 'billing' };
  let server: TestRedis;
  let redis: Redis;
  let stores: RedisStores;
  let producer: ReturnType<typeof session>;
  let call: HalfCall;

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
    await stores.topics.declare('old-orders');
    producer = session('orders', generation);
    await stores.log.append(producer.call(entries('a', 'b', 'c', 'd')));
    const late = { frame: frame('late'), due: { delayMs: 1 } };
    await stores.log.append(producer.call([late]));
    const half = (body: string) => ({
      id: newTransaction(),
      name: 'n',
      checkAfterMs: 0,
      entries: entries(body),
    });
    call = { ...queue, owner: 'o', generation, halves: [half('h1'), half('h2'), half('h3')] };
    await stores.halves.prepare(call);
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

  it('no transaction begins, and those that began end: commit, rollback, extend, park', async () => {
    const { halves } = stores;
    const [a, b, c] = call.halves.map(({ id }) => id);
    const another = { ...call, halves: [{ ...call.halves[0]!, id: newTransaction() }] };
    await expect(halves.prepare(another)).rejects.toMatchObject({ reason: 'OOM' });
    await expect(halves.publish(another)).rejects.toMatchObject({ reason: 'OOM' });
    const claim = { limit: 9, leaseMs: 1_000, frames: false };
    expect(await halves.claimDue(call, claim)).toMatchObject({ waiting: 3 });
    expect(statesOf(await halves.commit(call, [a!]))).toEqual(['committed']);
    expect(statesOf(await halves.rollback(call, [b!]))).toEqual(['rolled-back']);
    const later = { id: c!, afterMs: 1, answered: true };
    expect(statesOf(await halves.extend(call, [later]))).toEqual(['extended']);
    expect(statesOf(await halves.park(call, [{ id: c!, reason: 'r' }]))).toEqual(['parked']);
    expect(statesOf(await halves.unpark(call, [c!]))).toEqual(['extended']);
  });

  it('members and groups are seen, work is noted and taken, and the fate of a send can be asked for', async () => {
    await stores.members.beat('m');
    const { taken } = await stores.agenda.take({ limit: 5, leaseMs: 1_000 });
    await stores.agenda.finish(taken[0]!.work, taken[0]!.version, null);
    await stores.agenda.note('more work', 0);
    await stores.presence.note('orders', ['billing']);
    const reopen = { ...queue, session: producer.id, epoch: 2, asked: [{ epoch: 1, number: 1 }] };
    expect(await stores.log.reopen(reopen)).toMatchObject({ state: 'open' });
  });

  it('a topic can be deleted', async () => {
    const info = await stores.topics.find('old-orders');
    expect(await stores.topics.remove('old-orders')).toBe('removed');
    expect(await stores.topics.list()).toEqual(['orders']);
    expect(await stores.topics.removedGeneration('old-orders')).toBe(info!.generation);
    expect(await redis.keys('*old-orders*')).toEqual([expect.stringMatching(/:deleted$/)]);
  });
});

describe('an application whose Redis runs out of memory', () => {
  let server: TestRedis;
  let redis: Redis;
  let namespace: string;
  const applications: Rivulet[] = [];
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    namespace = newNamespace();
  });
  afterAll(async () => {
    await Promise.all(applications.map((application) => application.stop(1_000)));
    redis.disconnect();
    await server.stop();
  });
  const start = async (): Promise<Rivulet> => {
    const application = new Rivulet({ stores: await openStores(server.url, { namespace }) });
    applications.push(application);
    return application;
  };

  it('is told at once that a message is not stored, and goes on consuming, also in a process that starts', async () => {
    const producing = await start();
    const bodies = Array.from({ length: 50 }, (_, i) => i);
    await Promise.all(bodies.map((i) => producing.producer.send('orders', i)));
    await redis.config('SET', 'maxmemory', '1');

    for (const topic of ['orders', 'new-topic'])
      await expect(producing.producer.send(topic, 'more')).rejects.toMatchObject({
        code: 'FLOW_BLOCKED',
        message: expect.stringContaining('out of memory'),
      });

    const consuming = await start();
    const handled = new Set<unknown>();
    let noteAll = (): void => {};
    const all = new Promise<void>((resolve) => (noteAll = resolve));
    consuming.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'test',
      retry: { maxAttempts: 2, backoff: { fromMs: 1, jitter: 0 } },
      handler: ({ body, attempt }) => {
        if (attempt === 1 && Number(body) % 10 === 0) throw new Error('again');
        handled.add(body);
        if (handled.size === bodies.length) noteAll();
      },
    });
    await consuming.consume();
    await all;

    await redis.config('SET', 'maxmemory', '0');
    expect(await producing.producer.send('orders', 'more')).toMatchObject({ state: 'stored' });
  });
});
