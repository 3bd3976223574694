import { ByteBudget } from '../../../lib/core/consumer/byte-budget.js';

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
