import { TopicWatch } from '../../../lib/core/consumer/pattern/topic-watch.js';
import type { TopicRegistry } from '../../../lib/core/store/topic-registry.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

describe('TopicWatch', () => {
  it('tells who follows while it looks of a topic that was made since they asked', async () => {
    const clock = new ManualClock();
    const topics = ['order.old'];
    const registry = {
      count: () => Promise.resolve(topics.length),
      list: () => Promise.resolve([...topics]),
    } as unknown as TopicRegistry;
    const errors: unknown[] = [];
    const watch = new TopicWatch({ registry, clock, onError: (error) => errors.push(error) });
    let goOn = (): void => {};
    const told = [await watch.list()];
    topics.push('order.new');
    watch.follow(() => new Promise((resolve) => (goOn = resolve)));
    await clock.settle();
    // The look under way knows of the new topic, and has not ended: the first one takes its time.
    watch.follow(async (names) => void told.push([...names]));
    goOn();
    await clock.settle();
    await clock.advance(1_000);
    expect(told.at(-1)).toEqual(['order.old', 'order.new']);
    expect(errors).toEqual([]);
    goOn();
    await watch.stop();
  });

  it('tells again whoever failed, without waiting for another topic', async () => {
    const clock = new ManualClock();
    const registry = {
      count: () => Promise.resolve(1),
      list: () => Promise.resolve(['order.old']),
    } as unknown as TopicRegistry;
    const errors: unknown[] = [];
    const watch = new TopicWatch({ registry, clock, onError: (error) => errors.push(error) });
    let told = 0;
    watch.follow(() => (++told < 3 ? Promise.reject(new Error('away')) : Promise.resolve()));
    await clock.settle();
    for (let n = 0; n < 40; n++) await clock.advance(100);
    expect(told).toBe(3);
    expect(errors).toHaveLength(2);
    await watch.stop();
  });
});
