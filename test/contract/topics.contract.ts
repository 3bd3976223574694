import { DEFAULT_TOPIC_SETTINGS } from '../../lib/core/store/topic-registry.js';
import { appendCall, callOf } from './append-call.js';
import { type OpenHarness, useHarness } from './harness.js';
import { BILLING, declare, entryOf, generationOf, join, publish, QUEUE } from './messages.js';

export function describeTopics(open: OpenHarness): void {
  describe('TopicRegistry: topics', () => {
    const h = useHarness(open);

    it('creates a topic with defaults', async () => {
      const info = await h.stores.topics.declare('orders');
      expect(info).toEqual({
        ...DEFAULT_TOPIC_SETTINGS,
        topic: 'orders',
        generation: expect.any(Number),
      });
      expect(info.generation).toBeGreaterThan(0);
      expect(await h.stores.topics.find('orders')).toEqual(info);
    });

    it('creates a topic with the settings it is given', async () => {
      const settings = { queues: 3, retentionMs: 60_000, maxLength: 10, dedupWindowMs: 1_000 };
      expect(await h.stores.topics.declare('orders', settings)).toMatchObject(settings);
      expect((await publish(h.stores, ['a'], { topic: 'orders', queue: 2 }))[0]?.state).toBe(
        'stored',
      );
    });

    it('keeps the settings of an existing topic', async () => {
      const info = await h.stores.topics.declare('orders', { queues: 2, retentionMs: 1_000 });
      const other = await h.sibling();
      expect(await other.topics.declare('orders', { queues: 8, retentionMs: 5_000 })).toEqual(info);
      expect(await h.stores.topics.declare('orders')).toEqual(info);
    });

    it('creates a topic once when several declare it at the same time', async () => {
      const other = await h.sibling();
      const infos = await Promise.all(
        [1, 2, 3, 4, 5, 6].map((queues) =>
          (queues % 2 ? h.stores : other).topics.declare('orders', { queues }),
        ),
      );
      for (const info of infos) expect(info).toEqual(infos[0]);
    });

    it('lists topics by name', async () => {
      expect(await h.stores.topics.list()).toEqual([]);
      for (const topic of ['b', 'A', 'a.b', 'a'])
        await h.stores.topics.declare(topic, { queues: 1 });
      expect(await h.stores.topics.list()).toEqual(['A', 'a', 'a.b', 'b']);
    });

    it('finds no topic that was not declared', async () => {
      expect(await h.stores.topics.find('nowhere')).toBeUndefined();
    });

    it('alters settings and leaves the others', async () => {
      const info = await h.stores.topics.declare('orders', { queues: 2, maxLength: 10 });
      const altered = await h.stores.topics.alter('orders', {
        retentionMs: 5_000,
        maxLength: null,
      });
      expect(altered).toEqual({ ...info, retentionMs: 5_000, maxLength: null });
      const other = await h.sibling();
      expect(await other.topics.find('orders')).toEqual(altered);
      expect(await h.stores.topics.alter('nowhere', { retentionMs: 1 })).toBeUndefined();
    });

    it('removes a topic with everything in it', async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
      await publish(h.stores, ['a', 'b', entryOf('later', { due: { delayMs: 10 }, dedupId: 'd' })]);
      const consumer = h.consumer(BILLING, 'c');
      const [a, b] = await consumer.read();
      await consumer.deadLetter(a!);
      await consumer.retry(b!, 0);
      expect(await h.stores.topics.remove('orders')).toBe('removed');

      expect(await h.stores.topics.find('orders')).toBeUndefined();
      expect(await h.stores.topics.list()).toEqual([]);
      expect(await h.stores.topics.groups('orders')).toEqual([]);
      await declare(h.stores);
      await join(h.stores, 'billing');
      expect(await h.stores.log.extent(QUEUE)).toMatchObject({ length: 0 });
      expect(await h.stores.schedule.count(QUEUE)).toBe(0);
      expect(await h.stores.deadLetters.count(BILLING)).toBe(0);
      expect((await consumer.claim()).entries).toEqual([]);
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({
        undelivered: 0,
        inFlight: 0,
        waiting: 0,
      });
    });

    it('forgets dedup ids and producer sessions of a removed topic', async () => {
      await declare(h.stores);
      const call = callOf({ number: 1 }, [entryOf('a', { dedupId: 'd' })]);
      await appendCall(h.stores, call);
      await h.stores.topics.remove('orders');
      await h.advance(10);
      await declare(h.stores);
      expect(await appendCall(h.stores, call)).toMatchObject({
        state: 'appended',
        repeat: false,
        results: [{ state: 'stored' }],
      });
    });

    it('gives a topic that is declared anew another generation, so that no producer goes on as before', async () => {
      await declare(h.stores, { queues: 4 });
      const before = await generationOf(h.stores, 'orders');
      await h.stores.topics.remove('orders');
      await h.advance(10);
      await declare(h.stores, { queues: 2 });
      const after = await generationOf(h.stores, 'orders');
      expect(after).toBeGreaterThan(before);
      expect(await appendCall(h.stores, callOf({ number: 1, generation: before }, ['a']))).toEqual({
        state: 'moved',
        generation: after,
      });
    });

    it('remembers which life of a topic was removed on purpose', async () => {
      const { topics } = h.stores;
      expect(await topics.removedGeneration('orders')).toBeUndefined();
      const first = await topics.declare('orders');
      await topics.remove('orders');
      expect(await topics.removedGeneration('orders')).toBe(first.generation);
      await h.advance(1);
      const second = await topics.declare('orders');
      expect(second.generation).toBeGreaterThan(first.generation);
      expect(await topics.removedGeneration('orders')).toBe(first.generation);
    });

    it.each([
      ['an hour back', -3_600_000],
      ['not at all', 0],
    ])('is younger than what was removed when the clock jumps %s', async (_, jumpMs) => {
      const { topics } = h.stores;
      const first = await topics.declare('orders');
      await topics.remove('orders');
      h.jump(jumpMs);
      const second = await topics.declare('orders');
      expect(second.generation).toBeGreaterThan(first.generation);
      expect(await topics.removedGeneration('orders')).toBe(first.generation);
    });

    it('removes what is not there without harm', async () => {
      expect(await h.stores.topics.remove('nowhere')).toBe('unknown');
      await declare(h.stores);
      await h.stores.topics.remove('orders');
      expect(await h.stores.topics.remove('orders')).toBe('unknown');
    });

    it('ends no removal that nobody began', async () => {
      await declare(h.stores);
      for (const topic of ['nowhere', 'orders'])
        expect(await h.stores.topics.endRemoval(topic)).toBe('unknown');
      expect(await h.stores.topics.find('orders')).toBeDefined();
    });

    it('leaves other topics alone, also those whose names begin alike', async () => {
      for (const topic of ['a', 'a.b', 'ab']) await h.stores.topics.declare(topic, { queues: 1 });
      for (const topic of ['a.b', 'ab']) await publish(h.stores, ['x'], { topic, queue: 0 });
      await h.stores.topics.remove('a');
      expect(await h.stores.topics.list()).toEqual(['a.b', 'ab']);
      for (const topic of ['a.b', 'ab'])
        expect(await h.stores.log.extent({ topic, queue: 0 })).toMatchObject({ length: 1 });
    });

    it('tells how many topics there are', async () => {
      expect(await h.stores.topics.count()).toBe(0);
      await h.stores.topics.declare('a');
      await h.stores.topics.declare('b');
      await h.stores.topics.declare('a');
      expect(await (await h.sibling()).topics.count()).toBe(2);
      await h.stores.topics.remove('a');
      expect(await h.stores.topics.count()).toBe(1);
    });

    it('remembers since when a group follows a pattern', async () => {
      const since = await h.stores.topics.notePattern('order.#', 'billing');
      expect(since).toBe(h.now());
      await h.advance(5_000);
      expect(await (await h.sibling()).topics.notePattern('order.#', 'billing')).toBe(since);
      expect(await h.stores.topics.notePattern('order.#', 'audit')).toBe(h.now());
      expect(await h.stores.topics.notePattern('order.*', 'billing')).toBe(h.now());
    });

    it('answers "from the beginning" once the clock was set back behind that time', async () => {
      await h.stores.topics.notePattern('order.#', 'billing');
      h.jump(-3_600_000);
      expect(await h.stores.topics.notePattern('order.#', 'billing')).toBe(0);
      await h.advance(7_200_000);
      expect(await h.stores.topics.notePattern('order.#', 'billing')).toBe(0);
    });
  });
}
