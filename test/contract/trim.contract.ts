import { type OpenHarness, useHarness } from './harness.js';
import {
  AUDIT,
  BILLING,
  declare,
  entryOf,
  join,
  numbered,
  publish,
  publishTexts,
  QUEUE,
  texts,
} from './messages.js';

export function describeTrim(open: OpenHarness): void {
  describe('MessageLog.trim', () => {
    const h = useHarness(open);
    const DAY_MS = 86_400_000;
    const remaining = () => h.stores.log.range({ ...QUEUE, from: '-', to: '+', count: 1_000 });
    beforeEach(() => declare(h.stores, { retentionMs: DAY_MS }));

    it('keeps messages for the retention and drops them afterwards', async () => {
      await publishTexts(h.stores, numbered(3));
      await h.advance(DAY_MS - 60_000);
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBe(0);
      await h.advance(120_000);
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBe(3);
      expect(await h.stores.log.extent(QUEUE)).toMatchObject({ length: 0 });
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBe(0);
    });

    it('never drops what a group has not read', async () => {
      await join(h.stores, 'billing');
      await publishTexts(h.stores, numbered(3));
      await h.advance(10 * DAY_MS);
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBe(0);
      expect(texts(await h.consumer(BILLING, 'c').read())).toEqual(numbered(3));
    });

    it('never drops what is in hand or waits for a retry', async () => {
      await join(h.stores, 'billing');
      await publishTexts(h.stores, numbered(4));
      const consumer = h.consumer(BILLING, 'c');
      const [first, second, third, fourth] = await consumer.read();
      await consumer.ack(first!, fourth!);
      await consumer.retry(second!, 100 * DAY_MS);
      await h.advance(10 * DAY_MS);
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBe(1);
      await h.advance(90 * DAY_MS);
      const again = await consumer.claimOne();
      expect(texts([again])).toEqual(['m2']);
      await consumer.ack(again);
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBe(1);
      expect(await consumer.ack(third!)).toEqual(['settled']);
      await h.stores.log.trim(QUEUE, 1_000);
      expect(texts(await remaining())).not.toContain('m3');
    });

    it('waits for the slowest of several groups', async () => {
      await join(h.stores, 'billing');
      await join(h.stores, 'audit');
      await publishTexts(h.stores, numbered(3));
      const billing = h.consumer(BILLING, 'c');
      await billing.ack(...(await billing.read()));
      await h.advance(2 * DAY_MS);
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBe(0);
      await h.stores.topics.removeGroup('orders', 'audit');
      await h.stores.log.trim(QUEUE, 1_000);
      // A store may keep the last settled message: it knows what was delivered, not what comes after.
      expect((await remaining()).length).toBeLessThanOrEqual(1);
    });

    it('never drops what a group that was lost had not settled', async () => {
      await join(h.stores, 'billing');
      await publishTexts(h.stores, numbered(3));
      await h.tamper.dropGroup(BILLING);
      await h.advance(2 * DAY_MS);
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBe(0);
      await join(h.stores, 'billing', 'latest');
      expect(texts(await h.consumer(BILLING, 'c').read())).toEqual(numbered(3));
    });

    it.each([
      [1_000, 100],
      [250, 10],
    ])(
      'of %d removes no more than twice a limit of %d in one call, and all in the end',
      async (count, limit) => {
        await publishTexts(h.stores, numbered(count));
        await h.advance(2 * DAY_MS);
        const first = await h.stores.log.trim(QUEUE, limit);
        expect(first).toBeGreaterThan(0);
        expect(first).toBeLessThanOrEqual(2 * limit);
        let removed = first;
        for (let call = 0; call < 25; call++) removed += await h.stores.log.trim(QUEUE, limit);
        expect(removed).toBe(count);
      },
    );

    it('removes a thousand in one call when the limit allows it', async () => {
      await publishTexts(h.stores, numbered(1_000));
      await h.advance(2 * DAY_MS);
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBe(1_000);
    });

    it('leaves a redriven message to its group', async () => {
      await join(h.stores, 'billing');
      await join(h.stores, 'audit');
      await publishTexts(h.stores, numbered(2));
      const billing = h.consumer(BILLING, 'b');
      const audit = h.consumer(AUDIT, 'a');
      await audit.ack(...(await audit.read()));
      for (const entry of await billing.read()) await billing.deadLetter(entry);
      const [letter] = await h.stores.deadLetters.list(BILLING, { count: 1 });
      await h.advance(2 * DAY_MS);
      await h.stores.deadLetters.redrive(BILLING, letter!.id);
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBeGreaterThan(0);
      expect(await h.stores.deliveries.lag(AUDIT)).toMatchObject({ undelivered: 0 });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ undelivered: 1 });
      expect(texts(await billing.read())).toEqual(['m1']);
    });

    it('does not touch scheduled messages', async () => {
      await publish(h.stores, [entryOf('later', { due: { delayMs: 10 * DAY_MS } })]);
      await h.advance(5 * DAY_MS);
      await h.stores.log.trim(QUEUE, 1_000);
      expect(await h.stores.schedule.count(QUEUE)).toBe(1);
    });

    it('follows a changed retention at once', async () => {
      await publishTexts(h.stores, numbered(3));
      await h.advance(DAY_MS / 2);
      await h.stores.topics.alter('orders', { retentionMs: 60_000 });
      expect(await h.stores.log.trim(QUEUE, 1_000)).toBe(3);
    });
  });
}
