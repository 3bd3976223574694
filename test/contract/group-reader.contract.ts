import { QueueFaultedError } from '../../lib/core/message/errors.js';
import type { DeliveredEntry } from '../../lib/core/store/delivery-store.js';
import { type OpenHarness, useHarness } from './harness.js';
import { AUDIT, BILLING, declare, join, numbered, publishTexts, QUEUE, texts } from './messages.js';
import { nothing } from './nothing.js';

export function describeGroupReader(open: OpenHarness): void {
  describe('GroupReader.read', () => {
    const h = useHarness(open);
    beforeEach(async () => {
      await declare(h.stores, { queues: 4 });
      await join(h.stores, 'billing');
    });

    it('hands out each message once per group, in order, as a first attempt', async () => {
      await publishTexts(h.stores, numbered(4));
      const a = h.consumer(BILLING, 'a');
      const b = h.consumer(BILLING, 'b', await h.sibling());
      const [first, second] = [await a.read({ perQueue: 3 }), await b.read()];
      expect(texts(first)).toEqual(['m1', 'm2', 'm3']);
      expect(texts(second)).toEqual(['m4']);
      expect(await a.read()).toEqual([]);
      expect(first[0]).toMatchObject({
        ...QUEUE,
        attempt: 1,
        deliveryCount: 1,
        suspect: false,
        history: '',
      });
    });

    it('hands out every message to every group', async () => {
      await join(h.stores, 'audit');
      await publishTexts(h.stores, numbered(2));
      expect(texts(await h.consumer(BILLING, 'c').read())).toEqual(numbered(2));
      expect(texts(await h.consumer(AUDIT, 'c').read())).toEqual(numbered(2));
    });

    it('takes at most `perQueue` from each queue', async () => {
      const queues = [QUEUE, { topic: 'orders', queue: 1 }];
      for (const ref of queues) await publishTexts(h.stores, numbered(3, `q${ref.queue}-`), ref);
      const entries = await h.consumer(BILLING, 'c').read({ queues, perQueue: 2 });
      expect(texts(entries).sort()).toEqual(['q0-1', 'q0-2', 'q1-1', 'q1-2']);
      for (const entry of entries) expect(texts([entry])[0]).toMatch(`q${entry.queue}`);
    });

    it('hands out a thousand messages at once', async () => {
      await publishTexts(h.stores, numbered(1_000));
      expect(texts(await h.consumer(BILLING, 'c').read({ perQueue: 1_000 }))).toEqual(
        numbered(1_000),
      );
    });

    it('hands out entries of other programs as they are', async () => {
      const fields = ['a', 'b'].map((field) => Buffer.from(field));
      await h.tamper.addForeign(QUEUE, fields);
      expect((await h.consumer(BILLING, 'c').readOne()).content).toEqual({
        kind: 'foreign',
        fields,
      });
    });

    it('answers at once with nothing when it must not wait', async () => {
      expect(await h.consumer(BILLING, 'c').read({ blockMs: 0 })).toEqual([]);
    });

    it('tells of what a waiting read brings, or answers it', async () => {
      const reader = (await h.sibling()).deliveries.openReader('billing', 'c');
      const arrived: DeliveredEntry[][] = [];
      const reading = reader.read({
        queues: [QUEUE],
        perQueue: 10,
        blockMs: 20_000,
        signal: new AbortController().signal,
        onArrival: (entries) => arrived.push(entries),
      });
      await h.advance(5);
      await publishTexts(h.stores, ['a']);
      const answered = await reading;
      expect([...arrived, answered].filter(({ length }) => length > 0).map(texts)).toEqual([['a']]);
      await reader.close();
    });

    it('tells of each message or answers it, from whichever queue', async () => {
      const queues = [0, 1, 2, 3].map((queue) => ({ topic: 'orders', queue }));
      for (const ref of queues) await publishTexts(h.stores, [`q${ref.queue}`], ref);
      const reader = (await h.sibling()).deliveries.openReader('billing', 'c');
      const found: DeliveredEntry[] = [];
      const read = {
        ...{ queues, perQueue: 10, blockMs: 20_000, signal: new AbortController().signal },
        onArrival: (entries: DeliveredEntry[]) => found.push(...entries),
      };
      while (found.length < queues.length) found.push(...(await reader.read(read)));
      expect(texts(found).sort()).toEqual(['q0', 'q1', 'q2', 'q3']);
      await reader.close();
    });

    it('waits for a message', async () => {
      const reading = h.consumer(BILLING, 'c', await h.sibling()).read({ blockMs: 20_000 });
      await h.advance(5);
      await publishTexts(h.stores, ['a']);
      expect(texts(await reading)).toEqual(['a']);
    });

    it('waits for a message in any of its queues', async () => {
      const queues = [QUEUE, { topic: 'orders', queue: 1 }];
      const reading = h.consumer(BILLING, 'c').read({ queues, blockMs: 20_000 });
      await h.advance(5);
      await publishTexts(h.stores, ['a'], queues[1]);
      expect(texts(await reading)).toEqual(['a']);
    });

    it('gives a message to one of several waiting consumers', async () => {
      const consumers = [h.consumer(BILLING, 'a'), h.consumer(BILLING, 'b')];
      const aborter = new AbortController();
      const { signal } = aborter;
      const readings = consumers.map((consumer) => consumer.read({ blockMs: 20_000, signal }));
      await h.advance(5);
      await publishTexts(h.stores, ['a']);
      await Promise.race(readings);
      aborter.abort();
      expect(texts((await Promise.all(readings.map(nothing))).flat())).toEqual(['a']);
    });

    it('stops waiting after `blockMs`', async () => {
      const reading = h.consumer(BILLING, 'c').read({ blockMs: 20 });
      await h.advance(20);
      expect(await reading).toEqual([]);
    });

    it('stops waiting when the signal aborts, and can read again', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const aborter = new AbortController();
      const reading = consumer.read({ blockMs: 20_000, signal: aborter.signal });
      await h.advance(5);
      aborter.abort();
      expect(await nothing(reading)).toEqual([]);
      await publishTexts(h.stores, ['a']);
      expect(texts(await consumer.read())).toEqual(['a']);
    });

    it('does not wait at all when the signal had aborted before', async () => {
      const signal = AbortSignal.abort();
      expect(await nothing(h.consumer(BILLING, 'c').read({ blockMs: 20_000, signal }))).toEqual([]);
    });

    it('ends a waiting read on close and reads nothing afterwards', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const reading = consumer.read({ blockMs: 20_000 });
      await h.advance(5);
      await consumer.close();
      expect(await nothing(reading)).toEqual([]);
      await publishTexts(h.stores, ['a']);
      expect(await nothing(consumer.read())).toEqual([]);
      expect(texts(await h.consumer(BILLING, 'd').read())).toEqual(['a']);
    });

    it('names the queue that cannot be read; the others can', async () => {
      const broken = { topic: 'orders', queue: 1 };
      await publishTexts(h.stores, ['a']);
      await h.tamper.dropGroup({ ...BILLING, ...broken });
      const consumer = h.consumer(BILLING, 'c');
      const failure = await consumer
        .read({ queues: [QUEUE, broken] })
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(QueueFaultedError);
      expect(failure).toMatchObject({ ...broken, fault: 'no-group' });
      expect(texts(await consumer.read({ queues: [QUEUE] }))).toEqual(['a']);
    });
  });
}
