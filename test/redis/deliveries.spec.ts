import { Redis } from 'ioredis';
import type { DeliveredEntry, SettleItem } from '../../lib/core/store/delivery-store.js';
import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { entries, newNamespace, openStores, session } from './helpers/open-stores.js';

const signal = new AbortController().signal;

describe('deliveries in Redis', () => {
  const namespace = newNamespace();
  const keys = new Keys({ namespace });
  let server: TestRedis;
  let redis: Redis;
  let stores: RedisStores;
  let topics = 0;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    stores = await openStores(server.url, { namespace });
  });
  afterAll(async () => {
    redis.disconnect();
    await stores.close();
    await server.stop();
  });

  /** A queue with `count` messages, a group, and a reader of it. */
  async function queueOf(count: number) {
    const topic = `orders${++topics}`;
    const ref = { topic, queue: 0, group: 'billing' };
    const { generation } = await stores.topics.declare(topic, { queues: 1 });
    const join = {
      group: 'billing',
      mode: 'unordered',
      filterDigest: '',
      from: 'earliest',
    } as const;
    await stores.topics.joinGroup(topic, join);
    if (count > 0) {
      const bodies = Array.from({ length: count }, (_, i) => `m${i}`);
      await stores.log.append(session(topic, generation).call(entries(...bodies)));
    }
    const read = async (consumer: string): Promise<DeliveredEntry[]> => {
      const reader = stores.deliveries.openReader('billing', consumer);
      const request = { queues: [ref], perQueue: 10_000, blockMs: 0, signal };
      const delivered = await reader.read(request);
      await reader.close();
      return delivered;
    };
    const settle = (consumer: string, items: SettleItem[]) =>
      stores.deliveries.settle(ref, consumer, items);
    return {
      ref,
      of: keys.groupQueue(ref),
      join: () => stores.topics.joinGroup(topic, join),
      read,
      settle,
    };
  }

  const pending = async (log: string): Promise<unknown> =>
    (await redis.xpending(log, 'billing'))[0];

  const acks = (list: readonly DeliveredEntry[]): SettleItem[] =>
    list.map(({ offset, deliveryCount }) => ({
      offset,
      deliveryCount,
      settlement: { kind: 'ack' },
    }));

  describe('many acknowledgements at once', () => {
    it('are settled, and stale when repeated', async () => {
      const { of, read, settle } = await queueOf(1_200);
      const items = acks(await read('c'));
      expect(new Set(await settle('c', items))).toEqual(new Set(['settled']));
      expect(await pending(of.log)).toBe(0);
      expect(new Set(await settle('c', items))).toEqual(new Set(['stale']));
    });

    it('are told apart one by one when some were settled before', async () => {
      const { read, settle } = await queueOf(20);
      const items = acks(await read('c'));
      await settle('c', [items[0]!, items[7]!]);
      const words = await settle('c', items);
      expect(words.flatMap((word, i) => (word === 'stale' ? [i] : []))).toEqual([0, 7]);
    });

    it('are stale where the delivery was taken away, whatever the place', async () => {
      const { ref, of, read, settle } = await queueOf(20);
      const delivered = await read('c');
      await stores.deliveries.reclaim(ref, 'c', 3);
      const words = await settle('c', acks(delivered.toReversed()));
      expect(words.filter((word) => word === 'stale')).toHaveLength(3);
      expect(await pending(of.log)).toBe(3);
    });

    it('leave what is in other hands there, also between those that are not', async () => {
      const { ref, of, read, settle } = await queueOf(20);
      const delivered = await read('c');
      await stores.deliveries.reclaim(ref, 'c', 3);
      const taken = delivered.slice(0, 3).map(({ offset }) => offset);
      const middle = [...delivered.slice(3, 10), ...delivered.slice(0, 3), ...delivered.slice(10)];
      const words = await settle('c', acks(middle));
      expect(middle.filter((_, i) => words[i] === 'stale').map(({ offset }) => offset)).toEqual(
        taken,
      );
      const left = (await redis.xpending(of.log, 'billing', '-', '+', 30)) as [string][];
      expect(left.map(([offset]) => offset)).toEqual(taken);
    });

    it('of another consumer are stale', async () => {
      const { read, settle } = await queueOf(20);
      const items = acks(await read('c'));
      expect(new Set(await settle('d', items))).toEqual(new Set(['stale']));
      expect(new Set(await settle('c', items))).toEqual(new Set(['settled']));
    });
  });

  it('leaves nothing of a message that is settled, however it came to that', async () => {
    const { ref, of, read, settle } = await queueOf(6);
    const delivered = await read('c');
    const again = { kind: 'retry', delayMs: 0, history: 'h' } as const;
    await settle(
      'c',
      delivered.slice(0, 4).map((each) => ({ ...each, settlement: again })),
    );
    await stores.deliveries.reclaim(ref, 'c', 10);
    // Two by their receipts, while they wait; the others once they were handed out again.
    const [first, second] = delivered;
    expect(
      await settle('~waiting', [
        { ...first!, settlement: { kind: 'ack' } },
        { ...delivered[4]!, settlement: { kind: 'dead-letter', note: '' } },
      ]),
    ).toEqual(['settled', 'settled']);
    expect(await redis.zrange(of.retry, '0', '-1')).not.toContain(first!.offset);
    expect(await redis.zcard(of.suspects)).toBe(1);
    const claim = { consumer: 'd', limit: 10, suspect: true };
    const { entries: claimed } = await stores.deliveries.claimDue(ref, claim);
    expect(claimed).toHaveLength(4);
    expect(claimed.map(({ offset }) => offset)).toContain(second!.offset);
    expect(new Set(await settle('d', acks(claimed)))).toEqual(new Set(['settled']));
    expect(await stores.deliveries.claimDue(ref, claim)).toMatchObject({ entries: [] });
    expect(await redis.exists(of.retry, of.suspects, of.attempts)).toBe(0);
    expect(await pending(of.log)).toBe(0);
  });

  it('hands out nothing that somebody claimed or acknowledged by hand', async () => {
    const { ref, of, read, settle } = await queueOf(3);
    const delivered = await read('c');
    const again = { kind: 'retry', delayMs: 0, history: '' } as const;
    await settle(
      'c',
      delivered.map((each) => ({ ...each, settlement: again })),
    );
    const [claimed, acked, left] = delivered.map(({ offset }) => offset) as [
      string,
      string,
      string,
    ];
    await redis.xclaim(of.log, 'billing', 'somebody', 0, claimed);
    await redis.xack(of.log, 'billing', acked);
    const claim = { consumer: 'd', limit: 10, suspect: false };
    const { entries: found } = await stores.deliveries.claimDue(ref, claim);
    expect(found.map(({ offset }) => offset)).toEqual([left]);
    expect(await redis.xpending(of.log, 'billing', '-', '+', 9, 'somebody')).toHaveLength(1);
    expect(await redis.hexists(of.attempts, acked)).toBe(0);
    expect(await redis.zcard(of.retry)).toBe(0);
  });

  it('hands out a hundred at a time, whatever was asked for, and tells when the first of the others is due', async () => {
    const { ref, read, settle } = await queueOf(152);
    const [suspect, last, ...many] = await read('c');
    const { deliveries } = stores;
    const settlement = { kind: 'retry', delayMs: 0, history: '' } as const;
    await settle(
      'c',
      many.map((each) => ({ ...each, settlement })),
    );
    const claim = { consumer: 'd', limit: 5_000, suspect: true };
    expect((await deliveries.claimDue(ref, claim)).entries).toHaveLength(100);
    expect((await deliveries.claimDue(ref, claim)).entries).toHaveLength(50);
    await settle('c', [{ ...last!, settlement: { ...settlement, delayMs: 60_000 } }]);
    await deliveries.reclaim(ref, 'c', 1);
    const [alone] = (await deliveries.claimDue(ref, claim)).entries;
    expect(alone!.offset).toBe(suspect!.offset);
    await settle('d', [{ ...alone!, settlement: { kind: 'release', delayMs: 3_600_000 } }]);
    const { now, nextDueAt } = await deliveries.claimDue(ref, claim);
    expect(nextDueAt! - now).toBeGreaterThan(50_000);
    expect(nextDueAt! - now).toBeLessThanOrEqual(60_000);
  });

  it('a delivery named twice in one call is settled once', async () => {
    const { read, settle } = await queueOf(1);
    const [item] = acks(await read('c'));
    expect(await settle('c', [item!, item!])).toEqual(['settled', 'stale']);
  });

  it('a group that is gone holds nothing: settles are stale, renewals lost', async () => {
    const { ref, of, read, settle } = await queueOf(2);
    const delivered = await read('c');
    await redis.del(of.log);
    const { deliveries } = stores;
    expect(await settle('c', acks(delivered))).toEqual(['stale', 'stale']);
    expect(
      await settle('c', [{ ...acks(delivered)[0]!, settlement: { kind: 'release', delayMs: 0 } }]),
    ).toEqual(['stale']);
    const renewal = { consumer: 'c', inHand: delivered, swallowedAfterMs: 0 };
    expect(await deliveries.renew(ref, renewal)).toEqual({
      lost: delivered.map(({ offset }) => offset),
      released: 0,
    });
    expect(await deliveries.reclaim(ref, 'c', 10)).toEqual({ taken: 0, left: 0 });
    expect(await deliveries.consumers(ref)).toEqual([]);
    expect(await deliveries.lag(ref)).toMatchObject({ undelivered: null });
    expect(
      await deliveries.claimDue(ref, { consumer: 'c', limit: 10, suspect: true }),
    ).toMatchObject({
      entries: [],
    });
  });

  it('a foreign entry with thousands of fields becomes a dead letter with all its fields', async () => {
    const { ref, of, read, settle } = await queueOf(0);
    const fields = Array.from({ length: 9_000 }, (_, i) => `field ${i}`);
    await redis.xadd(of.log, '*', ...fields);
    const [entry] = await read('c');
    expect(entry).toMatchObject({ content: { kind: 'foreign' } });
    const deadLetter = { kind: 'dead-letter', note: 'strange' } as const;
    expect(await settle('c', [{ ...entry!, settlement: deadLetter }])).toEqual(['settled']);
    const [dead] = await stores.deadLetters.list(ref, { count: 1 });
    expect(dead!.content).toEqual({
      kind: 'foreign',
      fields: fields.map((field) => Buffer.from(field)),
    });
  });

  it('keeps ten thousand deliveries and more in hand', async () => {
    const { ref, read } = await queueOf(10_500);
    const delivered = await read('c');
    const renewal = { consumer: 'c', inHand: delivered, swallowedAfterMs: 0 };
    expect(await stores.deliveries.renew(ref, renewal)).toEqual({ lost: [], released: 0 });
  });

  it('refuses keys of another type before it changes anything', async () => {
    for (const name of ['retry', 'suspects', 'attempts', 'dead'] as const) {
      const { of, read, settle } = await queueOf(2);
      const [first, second] = await read('c');
      await redis.set(of[name], 'other');
      const items: SettleItem[] = [
        { ...first!, settlement: { kind: 'retry', delayMs: 1, history: '' } },
        { ...second!, settlement: { kind: 'dead-letter', note: '' } },
      ];
      await expect(settle('c', items)).rejects.toMatchObject({ reason: 'WRONGTYPE' });
      const pending = await redis.xpending(of.log, 'billing', '-', '+', 10, 'c');
      expect(pending).toHaveLength(2);
      expect(await redis.exists(of.retry, of.attempts, of.dead, of.suspects)).toBe(1);
    }
  });

  it('tells of each queue when something falls due, also beside keys of another type', async () => {
    for (const name of ['log', 'retry', 'suspects', 'attempts'] as const) {
      const broken = await queueOf(0);
      const { ref, read, settle } = await queueOf(1);
      const [only] = await read('c');
      await settle('c', [
        { ...only!, settlement: { kind: 'retry', delayMs: 60_000, history: '' } },
      ]);
      await redis.del(broken.of[name]);
      await redis.set(broken.of[name], 'other');
      const [told, delayMs, none] = await stores.deliveries.dueIn([
        broken.ref,
        ref,
        (await queueOf(1)).ref,
      ]);
      expect(told).toBe(0);
      expect(delayMs).toBeGreaterThan(50_000);
      expect(none).toBeNull();
      const claim = { consumer: 'c', limit: 1, suspect: false };
      await expect(stores.deliveries.claimDue(broken.ref, claim)).rejects.toMatchObject({
        reason: 'WRONGTYPE',
      });
    }
  });

  it('takes what waits without a note for due', async () => {
    const { ref, of, read, settle } = await queueOf(1);
    const [only] = await read('c');
    await settle('c', [{ ...only!, settlement: { kind: 'retry', delayMs: 60_000, history: '' } }]);
    await redis.del(of.retry, of.attempts);
    expect(await stores.deliveries.dueIn([ref])).toEqual([0]);
  });

  it('tells of the first that waits, for whatever reason it does', async () => {
    const { ref, of } = await queueOf(1);
    for (const first of [of.retry, of.suspects]) {
      await redis.del(of.retry, of.suspects);
      for (const key of [of.retry, of.suspects])
        await redis.zadd(key, key === first ? 0 : Date.now() + 60_000, '1-0');
      expect(await stores.deliveries.dueIn([ref])).toEqual([0]);
    }
  });

  it('has every queue asked alone where the user may not ask about one of them', async () => {
    const free = await queueOf(0);
    const closed = await queueOf(0);
    const url = new URL(server.url);
    const may = ['on', '>secret', '+@all', '~*'];
    await redis.call('ACL', 'SETUSER', 'narrow', ...may);
    Object.assign(url, { username: 'narrow', password: 'secret' });
    const narrow = await openStores(url.href, { namespace });
    await redis.call('ACL', 'SETUSER', 'narrow', 'resetkeys', `~*${free.ref.topic}*`);
    expect(await narrow.deliveries.dueIn([free.ref])).toEqual([null]);
    expect(await narrow.deliveries.dueIn([free.ref, closed.ref])).toEqual([0, 0]);
    await narrow.close();
  });

  it('goes on after SCRIPT FLUSH at any point', async () => {
    const { ref, read, settle } = await queueOf(3);
    const flush = () => redis.script('FLUSH');
    const delivered = await read('c');
    await flush();
    await settle('c', [
      { ...delivered[0]!, settlement: { kind: 'retry', delayMs: 0, history: 'h' } },
      { ...delivered[1]!, settlement: { kind: 'dead-letter', note: 'n' } },
    ]);
    await flush();
    const claim = { consumer: 'd', limit: 5, suspect: false };
    expect((await stores.deliveries.claimDue(ref, claim)).entries).toMatchObject([
      { attempt: 2, deliveryCount: 2, history: 'h' },
    ]);
    await flush();
    expect(await stores.deliveries.reclaim(ref, 'd', 5)).toEqual({ taken: 1, left: 0 });
    await flush();
    expect(await settle('c', acks(delivered.slice(2)))).toEqual(['settled']);
    await flush();
    expect(await stores.deliveries.lag(ref)).toMatchObject({
      waiting: 1,
      inFlight: 0,
      deadLetters: 1,
    });
  });
});
