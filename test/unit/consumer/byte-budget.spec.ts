import { TestBed } from '../../../lib/testing/test-bed.js';
import { ByteBudget, bytesOf } from '../../../lib/core/consumer/byte-budget.js';

describe('ByteBudget', () => {
  it('begins with few, and asks for more as long as nothing is known to be large', () => {
    const budget = new ByteBudget({ mostBytes: 1_000_000 });
    expect(budget.room).toBe(16);
    budget.learn([10, 10]);
    expect(budget.room).toBe(64);
    budget.learn([]);
    expect(budget.room).toBe(64);
    for (let i = 0; i < 10; i++) budget.learn([10]);
    expect(budget.room).toBe(100_000);
  });

  it('has room for as many as fit if they are like the largest lately', () => {
    const budget = new ByteBudget({ mostBytes: 1_000 });
    for (let i = 0; i < 5; i++) budget.learn([1]);
    budget.learn([1, 200, 1]);
    expect(budget.room).toBe(5);
    budget.take(200);
    budget.take(700);
    expect(budget.room).toBe(0);
    budget.give(700);
    expect(budget.room).toBe(4);
    budget.give(200);
    // A small one in between says little about the next.
    budget.learn([1]);
    expect(budget.room).toBe(5);
    for (let i = 0; i < 20; i++) budget.learn([1]);
    expect(budget.room).toBeGreaterThan(20);
  });

  it('has room for one when nothing is in hand, however large', () => {
    const budget = new ByteBudget({ mostBytes: 1_000 });
    budget.learn([5_000]);
    expect(budget.room).toBe(1);
    budget.take(5_000);
    expect(budget.room).toBe(0);
  });
});

describe('bytesOf', () => {
  it('counts what the fields of a foreign entry take beside their bytes', () => {
    const fields = Array.from({ length: 1_000 }, () => Buffer.from('x'));
    expect(bytesOf({ content: { kind: 'foreign', fields } })).toBeGreaterThan(50 * 1_000);
    expect(bytesOf({ content: { kind: 'gone' } })).toBe(0);
  });
});

describe('a subscription that knows how large messages are', () => {
  let bed: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { consumer: { maxInHandBytes: 10_000 } } });
  });
  afterEach(() => bed.close());

  it('reads no more of them than its bytes allow, whatever slots are free', async () => {
    const ends: (() => void)[] = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      concurrency: 100,
      handler: () => new Promise<void>((resolve) => ends.push(resolve)),
    });
    const publish = () => bed.publish('orders', 'x'.repeat(2_400));
    await publish();
    await bed.advance(100);
    ends.shift()!();
    for (let i = 0; i < 20; i++) await publish();
    await bed.advance(1_000);
    expect(ends).toHaveLength(4);
    ends.shift()!();
    await bed.advance(1_000);
    expect(ends).toHaveLength(4);
    for (const end of ends.splice(0)) end();
  });
});
