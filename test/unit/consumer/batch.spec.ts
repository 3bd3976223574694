import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BatchResult } from '../../../lib/core/consumer/batch/batch-result.js';
import type { BatchHandler } from '../../../lib/core/consumer/batch/batcher.js';
import { RejectMessageError } from '../../../lib/core/consumer/handler-errors.js';
import { InvalidOptionsError } from '../../../lib/core/message/errors.js';
import type { SubscribeBatchOptions } from '../../../lib/core/subscriptions.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('a batch subscription', () => {
  let bed: TestBed;
  let batches: unknown[][];
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 2 } } });
    batches = [];
  });
  afterEach(() => bed.close());

  const record: BatchHandler = (deliveries) =>
    void batches.push(deliveries.map(({ body }) => body));

  async function subscribe(options: Partial<SubscribeBatchOptions> = {}): Promise<void> {
    bed.rivulet.subscribeBatch({
      topic: 'orders',
      group: 'billing',
      origin: 'the test',
      handler: record,
      batch: { size: 10, withinMs: 100 },
      retry: { maxAttempts: 3, backoff: () => 1_000 },
      ...options,
    });
    await bed.rivulet.consume();
    await bed.advance(1);
  }
  const publish = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => bed.publish('orders', n)));

  it('gets as many messages as its size at once, from all queues', async () => {
    await subscribe();
    await publish(20);
    await bed.advance(1);
    expect(batches.map((batch) => batch.length)).toEqual([10, 10]);
    expect(batches.flat().sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 20 }, (_, n) => n),
    );
  });

  it('runs a handler that is a generator to its end', async () => {
    await subscribe({
      handler: function* (deliveries) {
        yield 'begun';
        record(deliveries);
      },
    });
    await publish(10);
    await bed.advance(1);
    expect(batches.flat()).toHaveLength(10);
  });

  it('settles each message by the result that a generator returns', async () => {
    const ends: string[] = [];
    bed.rivulet.events.on('acked', () => void ends.push('acked'));
    bed.rivulet.events.on('dead-lettered', () => void ends.push('dead'));
    await subscribe({
      handler: function* () {
        yield 'begun';
        return new BatchResult().fail(0, new RejectMessageError('no'));
      },
    });
    await publish(10);
    await bed.advance(100);
    expect(ends.sort()).toEqual([...Array<string>(9).fill('acked'), 'dead']);
  });

  it('asks a generator for no more once nobody wants its batch handled', async () => {
    const steps: unknown[] = [];
    await subscribe({
      batch: { size: 1, withinMs: 0 },
      retry: { maxAttempts: 1 },
      handlerTimeoutMs: 1_000,
      handler: function* () {
        yield bed.clock.now();
        steps.push('first');
        yield new Promise((resolve) => bed.clock.after(2_000, () => resolve(undefined)));
        steps.push('after its time');
      },
    });
    await publish(1);
    await bed.advance(5_000);
    expect(steps).toEqual(['first']);
  });

  it('to a pattern gets those of all topics together, and settles each where it is', async () => {
    await subscribe({
      topic: 'order.*',
      handler: (deliveries) => {
        batches.push(deliveries.map(({ message }) => message.topic));
        const results = new BatchResult();
        for (const [i, { body }] of deliveries.entries())
          if (body === 'bad') results.fail(i, new RejectMessageError('bad'));
        return results;
      },
    });
    for (const topic of ['order.a', 'order.b']) await bed.publish(topic, 'made');
    await bed.advance(3_000);
    batches = [];
    for (const topic of ['order.a', 'order.b'])
      for (const body of ['good', 'bad']) await bed.publish(topic, body);
    await bed.advance(1_000);
    expect(batches.map((batch) => batch.toSorted())).toEqual([
      ['order.a', 'order.a', 'order.b', 'order.b'],
    ]);
    for (const topic of ['order.a', 'order.b'])
      expect(await bed.deadLetters(topic, 'billing')).toHaveLength(1);
  });

  it('gets fewer when the first has waited long enough', async () => {
    await subscribe();
    await publish(3);
    await bed.advance(90);
    expect(batches).toEqual([]);
    await bed.advance(15);
    expect(batches).toHaveLength(1);
    expect(batches[0]).toHaveLength(3);
  });

  it('starts nothing that was given to others while it waited for company', async () => {
    const other = await bed.sibling();
    const handledThere: unknown[] = [];
    await subscribe({ batch: { size: 10, withinMs: 30_000 } });
    await publish(2);
    await bed.advance(1_000);
    // As if this process had been taken for dead.
    for (const queue of [0, 1]) {
      const ref = { topic: 'orders', queue, group: 'billing' };
      await other.stores.deliveries.reclaim(ref, bed.rivulet.member, 10);
    }
    bed.rivulet.pause('orders', 'billing');
    await other.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: ({ body }) => void handledThere.push(body),
    });
    await bed.advance(40_000);
    expect(handledThere.sort()).toEqual([0, 1]);
    expect(batches).toEqual([]);
    await other.close();
  });

  it('acks each message when it returns', async () => {
    await subscribe();
    const [first, second] = await publish(2);
    await bed.advance(105);
    expect(await bed.settled(first!.messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    expect(await bed.settled(second!.messageId)).toMatchObject({ state: 'acked', attempt: 1 });
  });

  it('gets all of them again when it says that one failed which is not there', async () => {
    await subscribe({
      handler: (deliveries) => {
        record(deliveries);
        if (deliveries[0]!.attempt === 1) return new BatchResult().fail(deliveries.length);
      },
    });
    const sent = await publish(2);
    await bed.advance(2_000);
    for (const { messageId } of sent)
      expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 2 });
  });

  it('gets all of them again when it throws', async () => {
    await subscribe({
      handler: (deliveries) => {
        record(deliveries);
        if (deliveries.some(({ attempt }) => attempt === 1))
          throw new Error('the database is away');
      },
    });
    const sent = await publish(3);
    await bed.advance(2_000);
    for (const { messageId } of sent)
      expect(await bed.settled(messageId)).toMatchObject({ state: 'acked', attempt: 2 });
    expect(batches.map((batch) => batch.length)).toEqual([3, 3]);
  });

  it('settles each message by its own outcome', async () => {
    await subscribe({
      handler: (deliveries) => {
        record(deliveries);
        const result = new BatchResult();
        deliveries.forEach(({ body, attempt }, i) => {
          if (body === 1) result.fail(i, new RejectMessageError('no such order'));
          if (body === 2 && attempt === 1) result.fail(i);
        });
        return Promise.resolve(result);
      },
    });
    const [good, hopeless, late] = await publish(3);
    await bed.advance(105);
    expect(await bed.settled(good!.messageId)).toMatchObject({ state: 'acked' });
    expect(await bed.settled(hopeless!.messageId)).toMatchObject({
      state: 'dead-lettered',
      reason: 'no such order',
      attempt: 1,
    });
    await bed.advance(2_000);
    expect(await bed.settled(late!.messageId)).toMatchObject({ state: 'acked', attempt: 2 });
    expect(batches.at(-1)).toEqual([2]);
  });

  it('runs no more batches at once than its concurrency, and collects meanwhile nothing in excess of it', async () => {
    let finish = (): void => {};
    const running = new Promise<void>((resolve) => (finish = resolve));
    await subscribe({
      concurrency: 1,
      handler: (deliveries) => {
        record(deliveries);
        return running;
      },
    });
    await publish(3);
    await bed.advance(105);
    await publish(30);
    await bed.advance(1_000);
    expect(batches.map((batch) => batch.length)).toEqual([3]);
    finish();
    await bed.advance(1_000);
    expect(batches.flat()).toHaveLength(33);
    for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(10);
  });

  it('can be idempotent: each message by its own key', async () => {
    await subscribe({ idempotent: { key: (message) => message.key! } });
    for (const key of ['a', 'b', 'a']) await bed.publish('orders', key, { key });
    await bed.advance(1_000);
    expect(batches.flat().sort()).toEqual(['a', 'b']);
  });

  it('ends with the shutdown, and what was collected is handled before', async () => {
    await subscribe({ batch: { size: 10, withinMs: 5_000 } });
    await publish(4);
    await bed.advance(10);
    await bed.close();
    expect(batches.map((batch) => batch.length)).toEqual([4]);
  });

  it.each<[object, string]>([
    [{ batch: { size: 0 } }, 'batch.size must be an integer from 1 to 10000, got: 0'],
    [{ batch: { withinMs: -1 } }, 'batch.withinMs must be an integer from 0 to 60000, got: -1'],
    [{ batch: { sise: 5 } }, 'batch: unknown option "sise", did you mean "size"?'],
    [{ batch: 5 }, 'batch must be { size, withinMs }, got: 5'],
    [
      { batch: { size: 5_000 }, concurrency: 3 },
      'batch.size times concurrency must be at most 10000',
    ],
  ])('is refused with %j', async (options, problem) => {
    await expect(subscribe(options)).rejects.toThrow(InvalidOptionsError);
    await expect(subscribe(options)).rejects.toThrow(problem);
  });

  it('refuses a failure without a place', () => {
    expect(() => new BatchResult().fail(-1)).toThrow(RangeError);
    expect(() => new BatchResult().fail(0.5)).toThrow('got: 0.5');
  });
});
