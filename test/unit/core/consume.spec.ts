import { StoreUnavailableError } from '../../../lib/core/message/errors.js';
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

  describe('while the store goes away', () => {
    let clock: ManualClock;
    let rivulet: Rivulet;
    /** By the clock: until then the store is away. */
    let awayUntil: number;

    beforeEach(async () => {
      clock = new ManualClock();
      const stores = new MemoryStores({ clock });
      rivulet = new Rivulet({ stores, clock });
      const { topics } = stores;
      const { joinGroup } = topics;
      topics.joinGroup = async (...args) => {
        if (clock.monotonic() < awayUntil) throw new StoreUnavailableError('a failover');
        return joinGroup.apply(topics, args);
      };
      rivulet.subscribe({ topic: 'orders', group: 'g', origin: 'test', handler: () => {} });
      await rivulet.open();
    });
    afterEach(() => rivulet.stop());

    it('waits for it, and begins', async () => {
      awayUntil = 4_000;
      const consuming = rivulet.consume();
      await clock.advance(4_200);
      await consuming;
      expect((await rivulet.stores.topics.groups('orders')).map(({ group }) => group)).toEqual([
        'g',
      ]);
    });

    it('gives up when it stays away, and may be called again', async () => {
      awayUntil = 20_000;
      const consuming = Promise.allSettled([rivulet.consume(5_000)]);
      await clock.advance(5_200);
      expect((await consuming)[0]).toMatchObject({ reason: { message: 'a failover' } });
      await clock.advance(20_000);
      await rivulet.consume();
    });

    it('waits no more once it is stopped', async () => {
      awayUntil = Infinity;
      const consuming = Promise.allSettled([rivulet.consume()]);
      await clock.advance(100);
      await rivulet.stop();
      expect((await consuming)[0]).toMatchObject({ status: 'rejected' });
    });
  });
});
