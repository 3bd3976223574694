import { PatternStart } from '../../../lib/core/consumer/pattern/pattern-start.js';
import type { Subscription } from '../../../lib/core/consumer/subscription.js';

describe('where a group begins in the topics of a pattern', () => {
  it('is asked for again after nobody answered, and then remembered', async () => {
    const subscription = { topic: 'order.*', group: 'audit', from: 'latest', mode: 'clustering' };
    let asked = 0;
    const notePattern = (): Promise<number> =>
      ++asked === 1 ? Promise.reject(new Error('away')) : Promise.resolve(asked);
    const begins = new PatternStart({
      subscription: subscription as Subscription,
      topics: { notePattern },
    });
    await expect(begins.note()).rejects.toThrow('away');
    await begins.note();
    expect(await begins.in('order.paid')).toEqual(new Date(2));
    expect(asked).toBe(2);
  });
});
