import { jest } from '@jest/globals';
import type { Delivery } from '../../../../lib/core/consumer/subscription.js';
import { LaneSlots, type SlotUser } from '../../../../lib/core/consumer/ordered/lane-slots.js';
import { TestBed } from '../../../../lib/testing/test-bed.js';
import { Gate } from './gate.js';

const BILLING = { topic: 'orders', group: 'billing', ordered: true } as const;

class Queue implements SlotUser {
  woken = 0;

  wake(): void {
    this.woken += 1;
  }
}

describe('the slots of an ordered subscription', () => {
  it('are all of one queue while no other wants more than it has', () => {
    const slots = new LaneSlots({ limit: 10 });
    const [one, other] = [new Queue(), new Queue()];
    expect(slots.shareOf(one)).toBe(10);
    slots.took(one, { any: true, more: 5 });
    slots.took(other, { any: true, more: 0 });
    expect(slots.shareOf(one)).toBe(10);
  });

  it('are shared in equal parts by queues that want more, none of them left over', () => {
    const slots = new LaneSlots({ limit: 100 });
    const queues = [new Queue(), new Queue(), new Queue()];
    for (const queue of queues) slots.took(queue, { any: true, more: 1 });
    expect(queues.map((queue) => slots.shareOf(queue))).toEqual([34, 34, 34]);
    expect(slots.shareOf(new Queue())).toBe(25);
  });

  it('are given in parts that are worth a call, however many queues there are', () => {
    const large = new LaneSlots({ limit: 100 });
    const small = new LaneSlots({ limit: 8 });
    for (const slots of [large, small])
      for (let i = 0; i < 64; i++) slots.took(new Queue(), { any: true, more: 1 });
    expect(large.shareOf(new Queue())).toBe(16);
    expect(small.shareOf(new Queue())).toBe(8);
  });

  it('are given to the others once a queue wants none any more', () => {
    const slots = new LaneSlots({ limit: 100 });
    const [one, other] = [new Queue(), new Queue()];
    for (const queue of [one, other]) slots.took(queue, { any: true, more: 1 });
    expect(slots.shareOf(one)).toBe(50);
    slots.took(other, { any: true, more: 0 });
    expect([one.woken, other.woken]).toEqual([1, 0]);
    expect(slots.shareOf(one)).toBe(100);
    slots.leave(one);
    slots.leave(one);
    expect([one.woken, other.woken]).toEqual([1, 0]);
  });

  it('keep a queue apart from the others while there are enough for a part each', () => {
    const [one, two, three] = [new Queue(), new Queue(), new Queue()];
    const few = new LaneSlots({ limit: 40 });
    expect(few.isApart(one)).toBe(true);
    few.took(two, { any: true, more: 1 });
    expect(few.isApart(one)).toBe(true);
    few.took(three, { any: true, more: 1 });
    expect([one, two, three].map((queue) => few.isApart(queue))).toEqual([false, true, true]);

    const throttle = { notify: () => undefined, readable: 100, mayStart: true } as never;
    const rated = new LaneSlots({ limit: 100, throttle });
    expect(rated.isApart(one)).toBe(false);
    // Who comes later finds none free where one queue goes on and on.
    expect(new LaneSlots({ limit: 31 }).isApart(one)).toBe(false);
  });

  it('are offered first to whoever has started nothing for longest', () => {
    const slots = new LaneSlots({ limit: 1 });
    const asked: string[] = [];
    const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ wake: () => void asked.push(name) }));
    for (const queue of [a!, b!, c!]) slots.took(queue, { any: false, more: 1 });
    slots.took(a!, { any: true, more: 1 });
    slots.took(b!, { any: false, more: 1 });
    slots.freed();
    expect(asked).toEqual(['b', 'c', 'a']);
  });
});

describe('queues of one ordered subscription', () => {
  let bed: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open();
  });
  afterEach(() => bed.close());

  const publish = (queue: number, messages: number): Promise<unknown> =>
    Promise.all(Array.from({ length: messages }, (_, i) => bed.publish('orders', i, { queue })));

  it('take turns when there is one slot for all of them', async () => {
    await bed.stores.topics.declare('orders', { queues: 3 });
    for (const queue of [0, 1, 2]) await publish(queue, 4);
    const turns: number[] = [];
    await bed.subscribe({
      ...BILLING,
      concurrency: 1,
      handler: async ({ message }: Delivery) => {
        turns.push(message.queue);
        await Promise.resolve();
      },
    });
    await bed.advance(100);
    expect(turns).toHaveLength(12);
    // None has two turns while another has none.
    for (let round = 0; round < 12; round += 3)
      expect(turns.slice(round, round + 3).sort()).toEqual([0, 1, 2]);
  });

  it('are all used by the one that has something left', async () => {
    await bed.stores.topics.declare('orders', { queues: 2 });
    const gate = new Gate();
    await publish(0, 2);
    await publish(1, 8);
    let running = 0;
    await bed.subscribe({
      ...BILLING,
      concurrency: 6,
      handler: async () => {
        running += 1;
        await gate.pass();
      },
    });
    await bed.advance(100);
    expect(running).toBe(6);
    await gate.open();
    await bed.advance(100);
    expect(running).toBe(10);
  });

  /** Two queues with 200 messages each, and 40 slots in which handlers stay until they are let go. */
  const held = async () => {
    await bed.stores.topics.declare('orders', { queues: 2 });
    await publish(0, 200);
    await publish(1, 200);
    const gates: [Gate[], Gate[]] = [[], []];
    await bed.subscribe({
      ...BILLING,
      concurrency: 40,
      handler: async ({ message }: Delivery) => {
        const gate = new Gate();
        gates[message.queue]!.push(gate);
        await gate.pass();
      },
    });
    const letGo = async (fromEach: number): Promise<void> => {
      for (const its of gates) for (const gate of its.splice(0, fromEach)) await gate.open();
      await bed.advance(100);
    };
    await bed.advance(100);
    // The first one took what nobody else wanted yet.
    await letGo(40);
    return { running: () => gates.map(({ length }) => length), letGo };
  };

  it('have equal parts of the slots while each could start more', async () => {
    const { running, letGo } = await held();
    for (let i = 0; i < 4; i++) {
      expect(running()).toEqual([20, 20]);
      await letGo(20);
    }
    while (running().some((some) => some > 0)) await letGo(40);
  });

  it('have the part of one that is handed over as soon as its handlers end', async () => {
    const { running, letGo } = await held();
    const other = await bed.sibling();
    await other.subscribe({ ...BILLING, handler: () => undefined });
    await bed.advance(60_000);
    expect(running()).toEqual([20, 20]);
    await letGo(10);
    expect(running().sort()).toEqual([10, 30]);
    while (running().some((some) => some > 0)) await letGo(40);
    await other.close();
  });

  it('read no further while they have enough to start', async () => {
    await bed.stores.topics.declare('orders', { queues: 1 });
    await publish(0, 1_000);
    const read = jest.spyOn(bed.stores.leases, 'read');
    const gate = new Gate();
    let handled = 0;
    await bed.subscribe({
      ...BILLING,
      concurrency: 2,
      handler: async () => {
        await gate.pass();
        handled += 1;
      },
    });
    await bed.advance(100);
    expect(read).toHaveBeenCalledTimes(1);
    await gate.open();
    await bed.advance(1_000);
    expect(handled).toBe(1_000);
  });
});
