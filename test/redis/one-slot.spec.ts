import { Redis } from 'ioredis';
import { claimed, completed } from '../../lib/core/store/dedup-store.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { newTransaction } from '../contract/halves.js';
import { entries, frame, openStores, session } from './helpers/open-stores.js';

// A cluster of one node accepts every key and refuses scripts and commands whose keys lie in two slots.
describe('every call', () => {
  let server: TestRedis;

  beforeAll(async () => {
    server = await startRedis({ args: ['--cluster-enabled', 'yes'] });
    const redis = new Redis(server.url);
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    while (!(await redis.cluster('INFO')).includes('cluster_state:ok')) await redis.ping();
    redis.disconnect();
  });
  afterAll(() => server.stop());

  it('stays within one slot', async () => {
    const stores = await openStores(server.url);
    const { topics, log, schedule, deliveries, deadLetters } = stores;
    const { generation } = await topics.declare('orders', { queues: 2 });
    await topics.alter('orders', { maxLength: 100 });
    const join = { group: 'g:1', mode: 'unordered', filterDigest: 'd', from: 'earliest' } as const;
    await topics.joinGroup('orders', join);

    const queue = { topic: 'orders', queue: 1 };
    const ref = { ...queue, group: 'g:1' };
    const producer = session('orders', generation, 1);
    const later = [1, 2, 3].map((n) => ({ frame: frame('later'), due: { delayMs: n } }));
    await log.append(
      producer.call([...entries('a', 'b'), ...later, { frame: frame('d'), dedupId: '{x}:y' }]),
    );
    await log.reopen({ ...queue, session: producer.id, epoch: 2, asked: [] });
    const far = { frame: frame('far'), due: { delayMs: 60_000 } };
    await log.append(producer.call([far], { epoch: 2, number: 1 }));
    while ((await schedule.count(queue)) > 1) await schedule.releaseDue(queue, 10);

    const { signal } = new AbortController();
    const reader = deliveries.openReader('g:1', 'c');
    const [first, second, ...rest] = await reader.read({
      queues: [queue],
      perQueue: 9,
      blockMs: 0,
      signal,
    });
    expect(rest).toHaveLength(4);
    await deliveries.settle(
      ref,
      'c',
      rest.map((item) => ({ ...item, settlement: { kind: 'ack' } })),
    );
    await deliveries.settle(ref, 'c', [
      { ...first!, settlement: { kind: 'retry', delayMs: 0, history: '' } },
      { ...second!, settlement: { kind: 'dead-letter', note: '' } },
    ]);
    await deliveries.claimDue(ref, { consumer: 'c', limit: 5, suspect: true });
    await deliveries.renew(ref, { consumer: 'c', inHand: [], swallowedAfterMs: 0 });
    await deliveries.reclaim(ref, 'c', 5);
    await deliveries.lag(ref);
    const [dead] = await deadLetters.list(ref, { count: 1 });
    await deadLetters.redrive(ref, dead!.id);
    await log.makeRoom(queue, { count: 1, drop: 'settled', note: '{}' });
    await log.trim(queue, 10);

    const halves = { ...queue, owner: 'd:{db}', generation };
    const [a, b, c] = ['a', 'b', 'c'].map((body) => ({
      id: newTransaction(),
      name: 'n',
      checkAfterMs: 0,
      entries: [
        { frame: frame(body), dedupId: '{y}' },
        { frame: frame('l'), due: { delayMs: 9 } },
      ],
    }));
    await stores.halves.prepare({ ...halves, halves: [a!, b!, c!] });
    await stores.halves.claimDue(halves, { limit: 5, leaseMs: 1, frames: true });
    await stores.halves.extend(halves, [{ id: a!.id, afterMs: 1, answered: true }]);
    await stores.halves.park(halves, [{ id: a!.id, reason: 'r' }]);
    await stores.halves.unpark(halves, [a!.id]);
    await stores.halves.commit(halves, [a!.id]);
    await stores.halves.publish({ ...halves, halves: [b!] });
    await stores.halves.placeOnce('orders', b!.id, { generation, queues: 2 });
    await stores.halves.list(queue, { count: 5 });
    await stores.halves.rollback(halves, [c!.id]);
    await stores.halves.oldest(halves);
    await stores.halves.agenda('d:{db}').note('w', 0);

    const records = ['k1', 'k2', 'k3'].map((key) => ({ topic: 'orders', group: 'g:1', key }));
    const claim = { owner: 'o', leaseMs: 1_000 };
    await Promise.all(records.map((record) => claimed(stores.dedup, record, claim)));
    await Promise.all(
      records.map((record) => completed(stores.dedup, record, { ...claim, ttlMs: 9 })),
    );

    const asks = ['k1', '{k2}'].map((key) => ({ key, held: 0, want: 1 }));
    await stores.permits.take(ref, { member: 'm', max: 1, leaseMs: 9, patienceMs: 9, asks });

    await stores.agenda.note('w', 0);
    const { taken } = await stores.agenda.take({ limit: 1, leaseMs: 1 });
    await stores.agenda.finish('w', taken[0]!.version, null);
    await stores.members.beat('m');
    const inbox = await stores.replies.openInbox({ ttlMs: 60_000, maxBytes: 100_000 });
    await stores.replies.reply(inbox.address, Buffer.from('x'));
    expect(await inbox.read({ blockMs: 0, signal })).toHaveLength(1);
    await inbox.close();
    await topics.removeGroup('orders', 'g:1');
    expect(await topics.remove('orders')).toBe('removed');
    await stores.close();
  });
});

describe('a topic that is removed', () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it('leaves nothing but dedup records, ends of transactions and a note of its end, which expire', async () => {
    const redis = new Redis(server.url);
    const stores = await openStores(server.url);
    const { generation } = await stores.topics.declare('orders', { queues: 2 });
    const join = { mode: 'unordered', filterDigest: '', from: 'earliest' } as const;
    await stores.topics.joinGroup('orders', { ...join, group: 'a' });
    const run = [
      { frame: frame('x'), dedupId: 'x' },
      { frame: frame('later'), due: { delayMs: 9_999 } },
    ];
    await stores.log.append(session('orders', generation).call(run));
    const [waiting, parked, committed] = ['w', 'p', 'c'].map((body) => ({
      id: newTransaction(),
      name: 'n',
      checkAfterMs: 0,
      entries: entries(body),
    }));
    const halves = { topic: 'orders', queue: 1, owner: 'a b' };
    await stores.halves.prepare({ ...halves, generation, halves: [waiting!, parked!] });
    await stores.halves.prepare({ ...halves, owner: 'o', generation, halves: [committed!] });
    await stores.halves.park(halves, [{ id: parked!.id, reason: 'r' }]);
    await stores.halves.commit({ ...halves, owner: 'o' }, [committed!.id]);
    await stores.topics.remove('orders');
    const left = await redis.keys('*');
    expect(left.sort()).toEqual([
      expect.stringContaining(':dedup:x'),
      expect.stringContaining(':done:'),
      expect.stringMatching(/:deleted$/),
    ]);
    for (const key of left) expect(await redis.pttl(key)).toBeGreaterThan(0);
    await stores.close();
    redis.disconnect();
  });

  it('can be removed again after a removal that was cut off, and declared meanwhile', async () => {
    const redis = new Redis(server.url);
    const namespace = 'cut';
    const stores = await openStores(server.url, { namespace });
    await stores.topics.declare('orders', { queues: 2 });
    await redis.hset('{cut:orders}:meta', 'removing', '1');
    expect(await stores.topics.find('orders')).toBeUndefined();
    expect(await stores.topics.declare('orders', { queues: 3 })).toMatchObject({ queues: 3 });
    await redis.hset('{cut:orders}:meta', 'removing', '1');
    expect(await stores.topics.remove('orders')).toBe('removed');
    expect(await redis.keys('{cut:*')).toEqual(['{cut:orders}:deleted']);
    await stores.close();
    redis.disconnect();
  });
});
