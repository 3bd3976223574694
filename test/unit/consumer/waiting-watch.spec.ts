import { WaitingWatch } from '../../../lib/core/consumer/waiting-watch.js';
import type { DeliveryStore, GroupQueue } from '../../../lib/core/store/delivery-store.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const refsOf = (topic: string, count: number): GroupQueue[] =>
  Array.from({ length: count }, (_, queue) => ({ topic, queue, group: 'billing' }));

describe('WaitingWatch', () => {
  let clock: ManualClock;
  let asked: { at: number; queues: string[] }[];
  let due: Map<string, number>;
  let failures: number;
  let errors: unknown[];
  let watch: WaitingWatch;
  let told: string[];

  beforeEach(() => {
    clock = new ManualClock(0);
    asked = [];
    due = new Map();
    failures = 0;
    errors = [];
    told = [];
    const dueIn = async (refs: readonly GroupQueue[]): Promise<(number | null)[]> => {
      const queues = refs.map(({ topic, queue }) => `${topic}/${queue}`);
      asked.push({ at: clock.monotonic(), queues });
      if (failures-- > 0) throw new Error('down');
      return queues.map((each) => due.get(each) ?? null);
    };
    watch = new WaitingWatch({
      deliveries: { dueIn } as unknown as DeliveryStore,
      clock,
      pollMs: () => 2_000,
      onError: (error) => errors.push(error),
    });
  });
  afterEach(() => watch.stop());

  const waiters = (topic: string, count: number) => ({
    refs: refsOf(topic, count),
    notice: (queue: number, delayMs: number) => told.push(`${topic}/${queue} in ${delayMs}`),
  });

  it('asks about the queues of all subscriptions in one question', async () => {
    watch.add(waiters('orders', 2));
    watch.add(waiters('mails', 1));
    due.set('orders/1', 70).set('mails/0', 0);
    watch.start();
    await clock.advance(2_000);
    const queues = ['orders/0', 'orders/1', 'mails/0'];
    expect(asked).toEqual([
      { at: 0, queues },
      { at: 2_000, queues },
    ]);
    expect(told.slice(0, 2)).toEqual(['orders/1 in 70', 'mails/0 in 0']);
  });

  it('asks about queues that were added, and no more about a subscription that ended', async () => {
    const orders = waiters('orders', 1);
    const mails = waiters('mails', 1);
    watch.add(orders);
    watch.add(mails);
    watch.start();
    await clock.advance(0);
    orders.refs.push({ topic: 'orders', queue: 1, group: 'billing' });
    watch.remove(mails);
    await clock.advance(2_000);
    watch.remove(orders);
    await clock.advance(2_000);
    expect(asked.map(({ queues }) => queues)).toEqual([
      ['orders/0', 'mails/0'],
      ['orders/0', 'orders/1'],
    ]);
  });

  it('keeps the store busy for a short time with each question', async () => {
    watch.add(waiters('orders', 150));
    watch.add(waiters('mails', 60));
    due.set('orders/149', 1).set('mails/59', 2);
    watch.start();
    await clock.advance(0);
    expect(asked.map(({ queues }) => queues.length)).toEqual([100, 100, 10]);
    expect(told).toEqual(['orders/149 in 1', 'mails/59 in 2']);
  });

  it('asks no more once it is stopped, also between many', async () => {
    watch.add(waiters('orders', 250));
    watch.start();
    await watch.stop();
    expect(asked).toHaveLength(1);
  });

  it('asks again soon after a failure', async () => {
    watch.add(waiters('orders', 1));
    failures = 1;
    watch.start();
    await clock.advance(100);
    expect(errors).toEqual([new Error('down')]);
    expect(asked).toHaveLength(2);
  });
});
