import { StoreRefusedError } from '../../../lib/core/message/errors.js';
import type { DeliveryStore, GroupQueue } from '../../../lib/core/store/delivery-store.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const hang = (): Promise<void> => new Promise(() => {});

/** From now on the store refuses this call for queue 0, as Redis does where one of its keys has the wrong type. */
function refuse(
  bed: TestBed,
  name: 'claimDue' | 'settle' | 'renew' | 'reclaim' | 'consumers',
): void {
  const { deliveries } = bed.stores;
  const real = deliveries[name] as (...args: unknown[]) => Promise<never>;
  Object.assign(deliveries, {
    [name]: (ref: GroupQueue, ...rest: unknown[]) =>
      ref.queue === 0
        ? Promise.reject(new StoreRefusedError('WRONGTYPE', { reason: 'WRONGTYPE' }))
        : real.call(deliveries, ref, ...rest),
  } satisfies Partial<Record<keyof DeliveryStore, unknown>>);
}

describe('a queue whose deliveries the store refuses', () => {
  let bed: TestBed;
  const others: TestBed[] = [];
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 2 } } });
  });
  afterEach(async () => {
    for (const other of others.splice(0)) await other.close();
    await bed.close();
  });
  const another = async (): Promise<TestBed> => {
    const other = await bed.sibling();
    others.push(other);
    return other;
  };

  it.each([1, 4])(
    'keeps no other queue from its retries, nor from new messages, with concurrency %i',
    async (concurrency) => {
      refuse(bed, 'claimDue');
      await bed.subscribe({
        topic: 'orders',
        group: 'billing',
        concurrency,
        retry: { backoff: () => 10 },
        handler: ({ attempt, body }) => {
          if (body === 'retried' && attempt === 1) throw new Error('again');
        },
      });
      const retried = await bed.publish('orders', 'retried', { queue: 1 });
      await bed.advance(10_000);
      expect(await bed.settled(retried.messageId)).toMatchObject({ state: 'acked', attempt: 2 });
      const fresh = await bed.publish('orders', 'fresh', { queue: 1 });
      await bed.advance(1_000);
      expect(await bed.settled(fresh.messageId)).toMatchObject({ state: 'acked' });
    },
  );

  it('is read no more while nothing of it can be settled, and others go on', async () => {
    const handled: unknown[] = [];
    refuse(bed, 'settle');
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      concurrency: 1,
      handler: ({ body }) => void handled.push(body),
    });
    for (let i = 0; i < 100; i++) await bed.publish('orders', i, { queue: 0 });
    await bed.advance(10_000);
    expect(handled.length).toBeLessThan(10);
    const { messageId } = await bed.publish('orders', 'elsewhere', { queue: 1 });
    await bed.advance(10_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('keeps no other queue from being taken over', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    const { messageId } = await bed.publish('orders', 'a', { queue: 1 });
    await bed.nextDelivery('billing');
    const other = await another();
    refuse(other, 'reclaim');
    await other.subscribe({ topic: 'orders', group: 'billing' });
    bed.crash();
    await bed.advance(25_000);
    expect(await other.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('keeps no orphan in another queue from being found', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    const { messageId } = await bed.publish('orders', 'a', { queue: 1 });
    await bed.nextDelivery('billing');
    bed.crash();
    const other = await another();
    await other.stores.members.leave(bed.rivulet.member);
    refuse(other, 'consumers');
    await other.subscribe({ topic: 'orders', group: 'billing' });
    await bed.advance(60_000);
    expect(await other.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('keeps no other queue from noticing that a reply was lost', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    refuse(bed, 'renew');
    // The read that is waiting hands it out, and nobody hears of it.
    bed.stores.loseReplies(1);
    const { messageId } = await (await another()).publish('orders', 'a', { queue: 1 });
    await bed.advance(30_000);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('keeps no other queue waiting for the end of what its dead consumer had in hand', async () => {
    await bed.subscribe({ topic: 'orders', group: 'billing', handler: hang });
    await bed.publish('orders', 'a', { queue: 0 });
    await bed.nextDelivery('billing');
    bed.crash();
    const other = await another();
    const handled: unknown[] = [];
    await other.subscribe({
      topic: 'orders',
      group: 'billing',
      handler: ({ body }) => void handled.push(body),
    });
    refuse(other, 'settle');
    await bed.advance(25_000);
    expect(handled).toEqual(['a']);
    const { messageId } = await other.publish('orders', 'elsewhere', { queue: 1 });
    await bed.advance(10_000);
    expect(await other.settled(messageId)).toMatchObject({ state: 'acked' });
  });
});
