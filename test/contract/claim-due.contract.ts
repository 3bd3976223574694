import { compareOffsets } from '../../lib/core/message/offset.js';
import { type OpenHarness, useHarness } from './harness.js';
import { BILLING, declare, join, numbered, publishTexts, QUEUE, texts } from './messages.js';

export function describeClaimDue(open: OpenHarness): void {
  describe('DeliveryStore.claimDue', () => {
    const h = useHarness(open);
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
    });

    it('hands a retry out again once its delay has passed, at its old offset', async () => {
      await publishTexts(h.stores, ['a', 'b']);
      const consumer = h.consumer(BILLING, 'a');
      const first = await consumer.readOne();
      await consumer.retry(first, 5_000, 'it broke');
      await h.advance(4_999);
      expect(await consumer.claim()).toEqual({ entries: [], nextDueAt: h.now() + 1, now: h.now() });
      await h.advance(1);
      const again = await h.consumer(BILLING, 'b', await h.sibling()).claim();
      expect(again).toMatchObject({ nextDueAt: null, now: h.now() });
      expect(again.entries).toEqual([
        { ...first, attempt: 2, deliveryCount: 2, suspect: false, history: 'it broke' },
      ]);
    });

    it('counts every start and keeps the newest history', async () => {
      await publishTexts(h.stores, ['a']);
      const consumer = h.consumer(BILLING, 'c');
      let entry = await consumer.readOne();
      for (let attempt = 1; attempt <= 20; attempt++) {
        expect(entry).toMatchObject({
          attempt,
          history: attempt === 1 ? '' : `after ${attempt - 1}`,
        });
        await consumer.retry(entry, 10, `after ${attempt}`);
        await h.advance(10);
        entry = await consumer.claimOne();
      }
      expect(entry).toMatchObject({ attempt: 21, deliveryCount: 21 });
    });

    it('keeps any text as history', async () => {
      await publishTexts(h.stores, ['a']);
      const consumer = h.consumer(BILLING, 'c');
      const history = `{"a":"ü 'quoted' \\ \u0000 \n"}|,;:`.repeat(100);
      await consumer.retry(await consumer.readOne(), 0, history);
      expect((await consumer.claimOne()).history).toBe(history);
    });

    it('hands a released message out at once, as the same attempt', async () => {
      await publishTexts(h.stores, ['a']);
      const consumer = h.consumer(BILLING, 'c');
      await consumer.release(await consumer.readOne());
      const again = await consumer.claimOne();
      expect(again).toMatchObject({ attempt: 1, deliveryCount: 2, suspect: false });
      await consumer.retry(again, 0, 'h');
      await consumer.release(await consumer.claimOne());
      expect(await consumer.claimOne()).toMatchObject({
        attempt: 2,
        deliveryCount: 4,
        history: 'h',
      });
    });

    it('hands out only what is due, the longest due first, at most `limit`', async () => {
      await publishTexts(h.stores, ['a', 'b', 'c', 'd']);
      const consumer = h.consumer(BILLING, 'c');
      const delays = [40, 20, 30, 1_000];
      for (const [i, entry] of (await consumer.read()).entries())
        await consumer.retry(entry, delays[i]!);
      await h.advance(50);
      const due = await consumer.claim({ limit: 2 });
      expect(texts(due.entries)).toEqual(['b', 'c']);
      expect(due.nextDueAt).toBeLessThanOrEqual(h.now());
      const rest = await consumer.claim({ limit: 2 });
      expect(texts(rest.entries)).toEqual(['a']);
      expect(rest.nextDueAt).toBeGreaterThan(h.now());
      expect((await consumer.claim({ limit: 0 })).entries).toEqual([]);
    });

    it('lets nothing wait for longer than it was told to when the clock is set back', async () => {
      await publishTexts(h.stores, ['a', 'b', 'c']);
      const consumer = h.consumer(BILLING, 'c');
      const [a, b, c] = await consumer.read();
      await consumer.retry(a!, 5_000);
      h.jump(-3_600_000);
      await h.advance(4_000);
      expect(await consumer.claim()).toMatchObject({ entries: [], nextDueAt: h.now() + 5_000 });
      await consumer.retry(b!, 5_000);
      await h.advance(4_999);
      expect(await consumer.claim()).toMatchObject({ entries: [], nextDueAt: h.now() + 1 });
      await h.advance(1);
      expect(texts((await consumer.claim()).entries)).toEqual(['a', 'b']);
      await consumer.retry(c!, 5_000);
      h.jump(-3_600_000);
      await consumer.claim();
      await h.advance(5_000);
      expect(texts((await consumer.claim()).entries)).toEqual(['c']);
      expect(await consumer.claim()).toMatchObject({ nextDueAt: null });
    });

    it('gives each delivery to one of two that claim at the same time', async () => {
      await publishTexts(h.stores, numbered(50));
      const a = h.consumer(BILLING, 'a');
      const b = h.consumer(BILLING, 'b', await h.sibling());
      await a.release(...(await a.read()));
      const claims = await Promise.all(
        [a, b, a, b].map((consumer) => consumer.claim({ limit: 20 })),
      );
      const offsets = claims.flatMap(({ entries }) => entries.map(({ offset }) => offset));
      expect(offsets).toHaveLength(50);
      expect(new Set(offsets).size).toBe(50);
    });

    it('lets a retry wait while newer messages are read', async () => {
      await publishTexts(h.stores, ['a', 'b']);
      const consumer = h.consumer(BILLING, 'c');
      await consumer.retry(await consumer.readOne(), 1_000);
      expect(texts(await consumer.read())).toEqual(['b']);
    });

    it('says so when the entry was deleted while it was pending, and does not hold it for ever', async () => {
      const [offset] = await publishTexts(h.stores, ['a']);
      const consumer = h.consumer(BILLING, 'c');
      await consumer.retry(await consumer.readOne(), 0);
      await h.tamper.deleteEntry(QUEUE, offset!);
      const entry = await consumer.claimOne();
      expect(entry).toMatchObject({ offset, content: { kind: 'gone' } });
      await consumer.ack(entry);
      expect(await consumer.claim()).toMatchObject({ entries: [], nextDueAt: null });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 0, waiting: 0 });
    });

    it('says so when several entries were deleted, and still hands out the others', async () => {
      const offsets = await publishTexts(h.stores, numbered(4));
      const consumer = h.consumer(BILLING, 'c');
      await consumer.release(...(await consumer.read()));
      await h.tamper.deleteEntry(QUEUE, offsets[0]!);
      await h.tamper.deleteEntry(QUEUE, offsets[2]!);
      const { entries } = await consumer.claim();
      expect(texts(entries.sort((a, b) => compareOffsets(a.offset, b.offset)))).toEqual([
        '<gone>',
        'm2',
        '<gone>',
        'm4',
      ]);
      expect(await consumer.ack(entries[1]!, entries[3]!)).toEqual(['settled', 'settled']);
    });
  });
}
