import { type OpenHarness, useHarness } from './harness.js';
import { AUDIT, BILLING, declare, join, publishTexts } from './messages.js';

export function describeDueIn(open: OpenHarness): void {
  describe('DeliveryStore.dueIn', () => {
    const h = useHarness(open);
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
      await join(h.stores, 'audit');
    });
    const dueIn = (...refs: (typeof BILLING)[]): Promise<(number | null)[]> =>
      h.stores.deliveries.dueIn(refs);

    it('tells when the first one that waits falls due, of each queue and group that is asked about', async () => {
      await publishTexts(h.stores, ['a', 'b']);
      const consumer = h.consumer(BILLING, 'c');
      const [a, b] = await consumer.read();
      expect(await dueIn(BILLING, AUDIT)).toEqual([null, null]);
      await consumer.retry(a!, 5_000);
      await consumer.retry(b!, 3_000);
      const none = { ...BILLING, queue: 7 };
      expect(await dueIn(none, AUDIT, BILLING)).toEqual([null, null, 3_000]);
      await h.advance(2_999);
      expect(await dueIn(BILLING)).toEqual([1]);
      await h.advance(1);
      expect(await dueIn(BILLING)).toEqual([0]);
      await h.advance(10_000);
      expect(await dueIn(BILLING)).toEqual([0]);
    });

    it('takes nothing, and knows of nothing once all was handed out', async () => {
      await publishTexts(h.stores, ['a']);
      const consumer = h.consumer(BILLING, 'c');
      await consumer.retry(await consumer.readOne(), 0);
      expect(await dueIn(BILLING)).toEqual([0]);
      expect(await dueIn(BILLING)).toEqual([0]);
      const again = await consumer.claimOne();
      expect(again).toMatchObject({ attempt: 2 });
      expect(await dueIn(BILLING)).toEqual([null]);
      await consumer.ack(again);
      expect(await dueIn(BILLING)).toEqual([null]);
    });

    it('tells of what was in hand when a consumer died', async () => {
      await publishTexts(h.stores, ['a']);
      await h.consumer(BILLING, 'dead').read();
      expect(await dueIn(BILLING)).toEqual([null]);
      await h.stores.deliveries.reclaim(BILLING, 'dead', 10);
      expect(await dueIn(BILLING)).toEqual([0]);
    });

    it('lets nothing wait for longer because the clock is set back', async () => {
      await publishTexts(h.stores, ['a']);
      const consumer = h.consumer(BILLING, 'c');
      await consumer.retry(await consumer.readOne(), 5_000);
      await h.advance(2_000);
      h.jump(-3_600_000);
      const [delayMs] = await dueIn(BILLING);
      await h.advance(delayMs!);
      const { entries, nextDueAt, now } = await consumer.claim();
      const leftMs = nextDueAt === null ? 0 : nextDueAt - now;
      expect(delayMs! + leftMs).toBeLessThanOrEqual(5_000);
      expect(await dueIn(BILLING)).toEqual([nextDueAt === null ? null : leftMs]);
      await h.advance(leftMs);
      expect([...entries, ...(await consumer.claim()).entries]).toHaveLength(1);
    });

    it('finds nothing where the group is gone', async () => {
      await publishTexts(h.stores, ['a']);
      const consumer = h.consumer(BILLING, 'c');
      await consumer.release(await consumer.readOne());
      await h.tamper.dropGroup(AUDIT);
      expect(await dueIn(AUDIT, BILLING)).toEqual([null, 0]);
      expect(await dueIn()).toEqual([]);
    });
  });
}
