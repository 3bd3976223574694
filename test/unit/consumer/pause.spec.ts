import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidInputError } from '../../../lib/core/message/errors.js';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';

const WAYS: [string, Partial<TestSubscription>][] = [
  ['unordered', {}],
  ['ordered', { ordered: true }],
  ['broadcasting', { mode: 'broadcasting', from: 'earliest' }],
  ['to a pattern', { topic: 'order.*' }],
];

describe.each(WAYS)('a subscription that is %s', (_, options) => {
  let bed: TestBed;
  let handled: unknown[];
  const topic = 'order.placed';
  const { topic: pattern = topic } = options as { topic?: string };
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 2 } } });
    handled = [];
    await bed.publish(topic, 0);
    await bed.subscribe({
      topic,
      group: 'billing',
      handler: ({ body, attempt }) => void handled.push([body, attempt]),
      ...options,
    });
    await bed.advance(100);
  });
  afterEach(() => bed.close());

  it('starts nothing while it is paused, and goes on where it was', async () => {
    expect(handled).toEqual([[0, 1]]);
    bed.rivulet.pause(pattern, 'billing');
    bed.rivulet.pause(pattern, 'billing');
    for (const n of [1, 2, 3]) await bed.publish(topic, n, { messageGroup: 'a' });
    await bed.advance(60_000);
    expect(handled).toHaveLength(1);
    bed.rivulet.resume(pattern, 'billing');
    bed.rivulet.resume(pattern, 'billing');
    await bed.advance(10_000);
    expect(handled.slice(1).sort()).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
  });

  it('can be stopped while it is paused', async () => {
    bed.rivulet.pause(pattern, 'billing');
    await bed.publish(topic, 1);
    await bed.advance(100);
    await bed.close();
    expect(handled).toHaveLength(1);
  });
});

describe('pausing', () => {
  it.each([false, true])(
    'starts nothing that a dead process left (ordered: %s), until it is resumed',
    async (ordered) => {
      const dying = await TestBed.open();
      const bed = await dying.sibling();
      const of = { topic: 'orders', group: 'billing', ordered };
      const handled: unknown[] = [];
      await dying.subscribe({ ...of, handler: () => new Promise(() => {}) });
      for (const n of [1, 2]) await dying.publish('orders', n, { messageGroup: `g${n}` });
      await dying.advance(10);
      await bed.subscribe({ ...of, handler: ({ body }) => void handled.push(body) });
      bed.rivulet.pause('orders', 'billing');
      dying.crash();
      await bed.advance(120_000);
      expect(handled).toEqual([]);
      bed.rivulet.resume('orders', 'billing');
      await bed.advance(10_000);
      expect(handled.toSorted()).toEqual([1, 2]);
      await bed.close();
      await dying.close();
    },
  );

  it('gives back what an ordered subscription was about to start, at no cost', async () => {
    const bed = await TestBed.open();
    const handled: unknown[] = [];
    await bed.subscribe({
      ...{ topic: 'orders', group: 'billing', ordered: true },
      handler: ({ body, attempt }) => void handled.push([body, attempt]),
    });
    const { leases } = bed.stores;
    const step = leases.step.bind(leases);
    leases.step = (ref, proof, steps) => {
      bed.rivulet.pause('orders', 'billing');
      return step(ref, proof, steps);
    };
    for (const n of [1, 2]) await bed.publish('orders', n, { messageGroup: 'g' });
    await bed.advance(60_000);
    expect(handled).toEqual([]);
    leases.step = step;
    bed.rivulet.resume('orders', 'billing');
    await bed.advance(1_000);
    expect(handled).toEqual([
      [1, 1],
      [2, 1],
    ]);
    await bed.close();
  });

  it('leaves the messages to other processes', async () => {
    const bed = await TestBed.open();
    const other = await bed.sibling();
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    await other.subscribe({ topic: 'orders', group: 'billing' });
    bed.rivulet.pause('orders', 'billing');
    const sent = await Promise.all([1, 2, 3, 4].map((n) => bed.publish('orders', n)));
    await bed.advance(10_000);
    for (const { messageId } of sent)
      expect(await other.settled(messageId)).toMatchObject({ state: 'acked', attempt: 1 });
    await other.close();
    await bed.close();
  });

  it('holds nothing back: what it had read, and what a read still brings, can be had by others at once', async () => {
    const bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
    const other = await bed.sibling();
    const slot = { topic: 'orders', group: 'billing', concurrency: 1 };
    const hang = new Promise<void>(() => {});
    await bed.subscribe({ ...slot, handler: () => hang });
    const sent = [await bed.publish('orders', 0)];
    await bed.nextDelivery('billing');
    await other.subscribe(slot);
    other.rivulet.pause('orders', 'billing');
    sent.push(await bed.publish('orders', 1));
    await bed.advance(1);
    expect(
      await bed.stores.deliveries.lag({ topic: 'orders', queue: 0, group: 'billing' }),
    ).toMatchObject({ inFlight: 1, waiting: 1 });
    await other.close();
    await bed.close();
  });

  it('is refused for what is not here', async () => {
    const bed = await TestBed.open();
    expect(() => bed.rivulet.pause('orders', 'billing')).toThrow(InvalidInputError);
    expect(() => bed.rivulet.resume('orders', 'billing')).toThrow(
      'this process has no subscription to topic "orders" in group "billing"',
    );
    await bed.close();
  });
});
