import { compareOffsets } from '../../lib/core/message/offset.js';
import { type OpenHarness, useHarness } from './harness.js';
import { BILLING, declare, join, numbered, publishTexts, texts } from './messages.js';

export function describeRenew(open: OpenHarness): void {
  describe('DeliveryStore.renew', () => {
    const h = useHarness(open);
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
      await publishTexts(h.stores, numbered(3));
    });

    it('tells what is not ours any more', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const [a, b, c] = await consumer.read();
      await consumer.ack(a!);
      await consumer.retry(b!, 0);
      const { lost, released } = await consumer.renew([a!, b!, c!]);
      expect(lost.sort(compareOffsets)).toEqual([a!.offset, b!.offset]);
      expect(released).toBe(0);
    });

    it('counts a delivery of our own that is newer than the one in hand as lost', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const first = await consumer.readOne();
      await consumer.release(first);
      const second = await consumer.claimOne();
      expect(await consumer.renew([first])).toMatchObject({ lost: [first.offset] });
      expect(await consumer.renew([second])).toMatchObject({ lost: [] });
    });

    it('releases what was handed out in a reply that never arrived, without counting the attempt', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const [a] = await consumer.read();
      await h.advance(60_000);
      expect(await consumer.renew([a!], 30_000)).toEqual({ lost: [], released: 2 });
      const { entries } = await h.consumer(BILLING, 'd').claim();
      expect(texts(entries).sort()).toEqual(['m2', 'm3']);
      for (const entry of entries)
        expect(entry).toMatchObject({ attempt: 1, deliveryCount: 2, suspect: false });
      expect(await consumer.ack(a!)).toEqual(['settled']);
    });

    it('releases a claim whose reply never arrived, too', async () => {
      const consumer = h.consumer(BILLING, 'c');
      await consumer.retry(await consumer.readOne(), 0, 'h');
      await consumer.claim();
      await h.advance(60_000);
      expect(await consumer.renew([], 30_000)).toEqual({ lost: [], released: 1 });
      expect(await consumer.claimOne()).toMatchObject({ attempt: 2, history: 'h' });
    });

    it('leaves alone what was handed out a moment ago', async () => {
      const consumer = h.consumer(BILLING, 'c');
      await consumer.read();
      expect(await consumer.renew([], 60_000)).toEqual({ lost: [], released: 0 });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 3 });
    });

    it('leaves other consumers alone', async () => {
      await h.consumer(BILLING, 'other').read();
      await h.advance(60_000);
      expect(await h.consumer(BILLING, 'c').renew([], 30_000)).toEqual({ lost: [], released: 0 });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 3 });
    });
  });
}
