import { ByteBudget } from '../../../lib/core/consumer/byte-budget.js';
import { Capacity } from '../../../lib/core/consumer/capacity.js';
import { Overflow } from '../../../lib/core/consumer/overflow.js';
import type { DeliveredEntry } from '../../../lib/core/store/delivery-store.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

describe('Overflow', () => {
  let clock: ManualClock;
  let capacity: Capacity;
  let overflow: Overflow;
  let given: number[];
  beforeEach(() => {
    clock = new ManualClock(0);
    capacity = new Capacity({ limit: 1 });
    given = [];
    overflow = new Overflow({
      clock,
      capacity,
      budget: new ByteBudget({ mostBytes: 1_000 }),
      onTooLong: (entries) => given.push(...entries.map(({ queue }) => queue)),
    });
  });
  const push = (...queues: number[]): void => {
    for (const queue of queues)
      overflow.push({ queue, content: { kind: 'gone' } } as DeliveredEntry);
    overflow.watch();
  };

  it('gives back what has waited for a second', async () => {
    push(1, 2);
    await clock.advance(499);
    expect(given).toEqual([]);
    await clock.advance(501);
    expect(given).toEqual([1, 2]);
    expect([overflow.length, capacity.inHand]).toEqual([0, 0]);
  });

  it('gives back nothing that came lately, however long something else has waited here before', async () => {
    push(1);
    await clock.advance(10);
    overflow.shift();
    await clock.advance(980);
    push(2);
    await clock.advance(400);
    expect(given).toEqual([]);
    expect(overflow.length).toBe(1);
  });

  it('gives back nothing while slots come back soon, though it is never empty', async () => {
    push(1, 2, 3);
    for (let queue = 4; queue < 500; queue++) {
      await clock.advance(10);
      overflow.shift();
      push(queue);
    }
    expect(given).toEqual([]);
    expect(overflow.length).toBe(3);
    await clock.advance(1_000);
    expect(given).toEqual([497, 498, 499]);
  });

  it('leaves nothing armed once it is empty', async () => {
    push(1);
    overflow.drain();
    expect(clock.armed).toBe(0);
    push(2);
    overflow.shift();
    await clock.advance(500);
    expect(clock.armed).toBe(0);
  });
});
