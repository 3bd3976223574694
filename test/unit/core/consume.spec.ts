import { Rivulet } from '../../../lib/core/rivulet.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

describe('consume', () => {
  it('starts a subscription once, also when it is called again after another one failed', async () => {
    const clock = new ManualClock();
    const stores = new MemoryStores({ clock });
    const rivulet = new Rivulet({ stores, clock });
    const readers: string[] = [];
    const { topics, deliveries } = stores;
    const { joinGroup } = topics;
    const { openReader } = deliveries;
    deliveries.openReader = (group, consumer) => {
      readers.push(group);
      return openReader.call(deliveries, group, consumer);
    };
    const slow: (() => void)[] = [];
    let conflicts = 1;
    topics.joinGroup = async (topic, join) => {
      if (join.group === 'slow') await new Promise<void>((resolve) => slow.push(resolve));
      if (join.group === 'failing' && conflicts-- > 0) throw new Error('not now');
      return joinGroup.call(topics, topic, join);
    };
    for (const group of ['failing', 'slow'])
      rivulet.subscribe({ topic: 'orders', group, origin: group, handler: () => {} });

    const first = Promise.allSettled([rivulet.consume()]);
    await clock.advance(10);
    const second = rivulet.consume();
    await clock.advance(10);
    while (slow.length > 0) {
      slow.shift()!();
      await clock.advance(10);
    }
    expect((await first)[0]).toMatchObject({ reason: { message: 'not now' } });
    await second;
    expect(readers.sort()).toEqual(['failing', 'slow']);
    await rivulet.stop();
  });
});
