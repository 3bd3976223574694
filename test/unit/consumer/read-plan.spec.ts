import { type PlannedRead, ReadPlan } from '../../../lib/core/consumer/read-plan.js';
import type { DeliveredEntry } from '../../../lib/core/store/delivery-store.js';

const BLOCK_MS = 1_000;
const queues = (count: number) =>
  Array.from({ length: count }, (_, queue) => ({ topic: 'orders', queue }));

describe('ReadPlan', () => {
  let plan: ReadPlan;
  beforeEach(() => (plan = new ReadPlan({ blockMs: BLOCK_MS })));

  /** Plans a read, and lets it find so many messages in each queue. */
  function read(
    healthy: ReturnType<typeof queues>,
    wanted: number,
    found: number[] = [],
  ): { asked: number[]; perQueue: number; waits: boolean } {
    const planned: PlannedRead = plan.next(healthy, wanted);
    const entries = planned.queues.flatMap((ref) =>
      Array.from(
        { length: Math.min(found[ref.queue] ?? 0, planned.perQueue) },
        () => ({ ...ref }) as DeliveredEntry,
      ),
    );
    plan.learn(planned, entries);
    const asked = planned.queues.map(({ queue }) => queue).sort();
    return { asked, perQueue: planned.perQueue, waits: planned.blockMs > 0 };
  }

  it('asks all queues for their share of the slots, and waits', () => {
    const all = queues(4);
    for (let i = 0; i < 3; i++)
      expect(read(all, 100)).toEqual({ asked: [0, 1, 2, 3], perQueue: 25, waits: true });
  });

  it('asks each for more than its share when there will be room, and for no more than is said of one', () => {
    const all = queues(4);
    const perQueue = (wanted: number, more: { atMost: number; ofOne?: number }) =>
      plan.next(all, wanted, more).perQueue;
    expect(perQueue(100, { atMost: 200 })).toBe(50);
    expect(perQueue(100, { atMost: 50 })).toBe(25);
    expect(perQueue(100, { atMost: 1_000 })).toBe(100);
    expect(perQueue(100, { atMost: 1_000, ofOne: 125 })).toBe(125);
    expect(perQueue(100, { atMost: 400, ofOne: 125 })).toBe(100);
  });

  it('reads on at once where there is more, for all slots, and then waits for all again', () => {
    const all = queues(4);
    expect(read(all, 100, [60, 0, 3, 0]).asked).toEqual([0, 1, 2, 3]);
    expect(read(all, 100, [35])).toEqual({ asked: [0], perQueue: 100, waits: false });
    expect(read(all, 100)).toEqual({ asked: [0, 1, 2, 3], perQueue: 25, waits: true });
  });

  it('asks every queue again after the rich ones', () => {
    const all = queues(3);
    const asked = Array.from({ length: 6 }, () => read(all, 30, [1_000, 1_000, 5]));
    expect(asked.map((each) => each.asked.length)).toEqual([3, 1, 1, 3, 1, 1]);
    expect(asked[1]!.asked).not.toEqual(asked[2]!.asked);
  });

  it('gives each queue its turn as long as all are rich', () => {
    const all = queues(3);
    const asked = Array.from({ length: 10 }, () => read(all, 30, [1_000, 1_000, 1_000]));
    expect(asked.map((each) => each.asked.length)).toEqual([3, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    for (let i = 1; i < 8; i += 3)
      expect(
        asked
          .slice(i, i + 3)
          .flatMap((each) => each.asked)
          .sort(),
      ).toEqual([0, 1, 2]);
  });

  it('never asks for more than there is room when slots are fewer than queues', () => {
    const all = queues(8);
    const everywhere = all.map(() => 1_000);
    read(all, 3, everywhere);
    for (let i = 0; i < 20; i++) {
      const { asked, perQueue } = read(all, 3, everywhere);
      expect(asked.length * perQueue).toBeLessThanOrEqual(3);
    }
  });

  describe('after a second look that found nothing', () => {
    const all = queues(4);
    beforeEach(() => {
      read(all, 100, [25]);
      read(all, 100);
    });

    it('waits at once after another full read, and looks again after the next', () => {
      read(all, 100, [25]);
      expect(read(all, 100, [25])).toMatchObject({ asked: [0, 1, 2, 3], waits: true });
      expect(read(all, 100)).toMatchObject({ asked: [0], waits: false });
    });

    it('still looks where several queues had all of their share, or one had it besides others', () => {
      for (const found of [
        [25, 25],
        [25, 1],
      ]) {
        read(all, 100, found);
        expect(read(all, 100)).toMatchObject({ perQueue: 100, waits: false });
        while (!read(all, 100).waits);
      }
    });

    it('is not told anything by a read that no queue filled, however much it brought', () => {
      read(all, 100, [13, 12]);
      read(all, 100, [25]);
      expect(read(all, 100)).toMatchObject({ waits: true });
    });

    it('still looks where slots are fewer than queues', () => {
      while (!read(queues(2), 1).waits);
      expect(read(queues(2), 1, [1])).toMatchObject({ perQueue: 1, waits: true });
      expect(read(queues(2), 1)).toMatchObject({ waits: false });
    });
  });

  it('lets a queue that became unhealthy be', () => {
    read(queues(2), 10, [100, 100]);
    expect(read([queues(2)[1]!], 10).asked).toEqual([1]);
  });
});
