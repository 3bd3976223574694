import { type OpenHarness, useHarness } from './harness.js';
import { AUDIT, BILLING, declare, join, numbered, publishTexts } from './messages.js';

export function describeLag(open: OpenHarness): void {
  describe('DeliveryStore.consumers and lag', () => {
    const h = useHarness(open);
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
    });

    it('names the consumers of the group, and nothing that merely waits', async () => {
      await publishTexts(h.stores, numbered(2));
      const a = h.consumer(BILLING, 'a');
      await a.retry(await a.readOne(), 1_000);
      await h.consumer(BILLING, 'b').read();
      expect((await h.stores.deliveries.consumers(BILLING)).sort()).toEqual(['a', 'b']);
    });

    it('names a consumer that is enrolled before there is anything to read, as often as it asks', async () => {
      const { deliveries } = h.stores;
      await deliveries.enroll(BILLING, 'idle');
      await deliveries.enroll(BILLING, 'idle');
      expect(await deliveries.consumers(BILLING)).toEqual(['idle']);
      expect(await deliveries.reclaim(BILLING, 'idle', 10)).toEqual({ taken: 0, left: 0 });
      expect(await deliveries.consumers(BILLING)).toEqual([]);
    });

    it('enrolls nobody in a group that is not there', async () => {
      await h.stores.deliveries.enroll({ ...BILLING, group: 'nobody' }, 'idle');
      expect(await h.stores.deliveries.consumers({ ...BILLING, group: 'nobody' })).toEqual([]);
      const gone = { ...BILLING, topic: 'gone' };
      await h.stores.deliveries.enroll(gone, 'idle');
      expect(await h.stores.deliveries.consumers(gone)).toEqual([]);
    });

    it('counts what was published and is not settled', async () => {
      const offsets = await publishTexts(h.stores, numbered(6));
      expect(await h.stores.deliveries.lag(BILLING)).toEqual({
        undelivered: 6,
        inFlight: 0,
        waiting: 0,
        held: 0,
        deadLetters: 0,
        oldestUnsettled: null,
      });
      const consumer = h.consumer(BILLING, 'c');
      const [first, second, third] = await consumer.read({ perQueue: 4 });
      await consumer.ack(first!);
      await consumer.retry(second!, 1_000);
      await consumer.deadLetter(third!);
      expect(await h.stores.deliveries.lag(BILLING)).toEqual({
        undelivered: 2,
        inFlight: 1,
        waiting: 1,
        held: 0,
        deadLetters: 1,
        oldestUnsettled: offsets[1],
      });
    });

    it('does not count as undelivered what was published before the group began', async () => {
      await publishTexts(h.stores, numbered(3));
      await join(h.stores, 'audit', 'latest');
      await publishTexts(h.stores, ['new']);
      expect(await h.stores.deliveries.lag(AUDIT)).toMatchObject({ undelivered: 1 });
    });
  });
}
