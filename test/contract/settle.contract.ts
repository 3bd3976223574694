import { WAITING } from '../../lib/core/store/delivery-store.js';
import { type OpenHarness, useHarness } from './harness.js';
import { AUDIT, BILLING, declare, join, numbered, publishTexts, QUEUE } from './messages.js';

export function describeSettle(open: OpenHarness): void {
  describe('DeliveryStore.settle', () => {
    const h = useHarness(open);
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
      await publishTexts(h.stores, numbered(4));
    });

    it('acknowledges: the message is handed out no more', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const entries = await consumer.read();
      expect(await consumer.ack(...entries)).toEqual(['settled', 'settled', 'settled', 'settled']);
      expect(await consumer.claim()).toMatchObject({ entries: [], nextDueAt: null });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({
        inFlight: 0,
        oldestUnsettled: null,
      });
    });

    it('acknowledges in any order, and once what is named twice', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const [a, b, c, d] = await consumer.read();
      expect(await consumer.ack(d!, b!, d!)).toEqual(['settled', 'settled', 'stale']);
      expect(await consumer.ack(a!, a!)).toEqual(['settled', 'stale']);
      expect(await consumer.ack(c!)).toEqual(['settled']);
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 0 });
    });

    it('answers "stale" to a repeat and changes nothing more', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const entry = await consumer.readOne();
      expect(await consumer.ack(entry)).toEqual(['settled']);
      expect(await consumer.ack(entry)).toEqual(['stale']);
      expect(await consumer.retry(entry, 0)).toEqual(['stale']);
      expect(await consumer.release(entry)).toEqual(['stale']);
      expect(await consumer.deadLetter(entry)).toEqual(['stale']);
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({
        inFlight: 0,
        waiting: 0,
        deadLetters: 0,
      });
    });

    it('lets whoever has the receipt settle what waits, until it is handed out again', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const waiting = h.consumer(BILLING, WAITING, await h.sibling());
      const [a, b, c, d] = await consumer.read();
      for (const entry of [a, b, c, d]) await consumer.retry(entry!, 1_000, 'said before');
      expect(await waiting.ack(a!)).toEqual(['settled']);
      expect(await waiting.ack(a!)).toEqual(['stale']);
      expect(await waiting.deadLetter(b!)).toEqual(['settled']);
      // Hidden for longer, and what was said before is still known.
      expect(await waiting.retry(c!, 5_000)).toEqual(['settled']);
      await h.advance(1_000);
      const again = await consumer.claimOne();
      expect(again).toMatchObject({ offset: d!.offset, attempt: 2 });
      expect(await waiting.ack(d!)).toEqual(['stale']);
      await consumer.ack(again);
      await h.advance(4_000);
      expect(await consumer.claimOne()).toMatchObject({
        offset: c!.offset,
        attempt: 2,
        history: 'said before',
      });
      expect(await consumer.claim()).toMatchObject({ entries: [], nextDueAt: null });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 1, deadLetters: 1 });
    });

    it('settles each kind in one call, with one reply for each in order', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const [a, b, c, d] = (await consumer.read()).map(({ offset, deliveryCount }) => ({
        offset,
        deliveryCount,
      }));
      const replies = await h.stores.deliveries.settle(BILLING, 'c', [
        { ...a!, settlement: { kind: 'ack' } },
        { ...b!, deliveryCount: 7, settlement: { kind: 'ack' } },
        { ...b!, settlement: { kind: 'retry', delayMs: 1_000, history: 'h' } },
        { ...c!, settlement: { kind: 'dead-letter', note: 'n' } },
        { ...a!, settlement: { kind: 'ack' } },
        { ...d!, settlement: { kind: 'release', delayMs: 0 } },
      ]);
      expect(replies).toEqual(['settled', 'stale', 'settled', 'settled', 'stale', 'settled']);
      expect(await h.stores.deliveries.lag(BILLING)).toEqual({
        undelivered: 0,
        inFlight: 0,
        waiting: 2,
        held: 0,
        deadLetters: 1,
        oldestUnsettled: b!.offset,
      });
    });

    it('gives back for later, as often as wanted, and counts no attempt', async () => {
      const consumer = h.consumer(BILLING, 'c');
      let entry = await consumer.readOne();
      for (let round = 0; round < 3; round++) {
        expect(await consumer.releaseFor(entry, 1_000)).toEqual(['settled']);
        expect((await consumer.claim()).entries).toEqual([]);
        await h.advance(1_000);
        entry = await consumer.claimOne();
        expect(entry).toMatchObject({ attempt: 1, history: '' });
      }
    });

    it('refuses a consumer that does not hold the delivery', async () => {
      const entry = await h.consumer(BILLING, 'a').readOne();
      const other = h.consumer(BILLING, 'b');
      expect(await other.ack(entry)).toEqual(['stale']);
      expect(await other.deadLetter(entry)).toEqual(['stale']);
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 1, deadLetters: 0 });
    });

    it('refuses the settle of an earlier delivery by the same consumer', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const first = await consumer.readOne();
      await consumer.retry(first, 0);
      expect(await consumer.ack(first)).toEqual(['stale']);
      const second = await consumer.claimOne();
      expect(await consumer.ack(first)).toEqual(['stale']);
      expect(await consumer.ack(second)).toEqual(['settled']);
    });

    it('answers "stale" for what was never handed out, and where there is no such group', async () => {
      const consumer = h.consumer(BILLING, 'c');
      const ack = { deliveryCount: 1, settlement: { kind: 'ack' } } as const;
      const extent = await h.stores.log.extent(QUEUE);
      const items = [
        { ...ack, offset: extent.first! },
        { ...ack, offset: '1-1' },
      ];
      expect(await h.stores.deliveries.settle(BILLING, 'c', items)).toEqual(['stale', 'stale']);
      const entry = await consumer.readOne();
      await h.tamper.dropGroup(BILLING);
      expect(await consumer.ack(entry)).toEqual(['stale']);
    });

    it('answers nothing to nothing', async () => {
      expect(await h.stores.deliveries.settle(BILLING, 'c', [])).toEqual([]);
    });

    it('keeps the groups apart', async () => {
      await join(h.stores, 'audit');
      const billing = h.consumer(BILLING, 'c');
      const audit = h.consumer(AUDIT, 'c');
      const [mine, theirs] = [await billing.readOne(), await audit.readOne()];
      await billing.ack(mine);
      expect(await audit.retry(theirs, 0)).toEqual(['settled']);
      expect((await audit.claimOne()).attempt).toBe(2);
      expect((await billing.claim()).entries).toEqual([]);
    });

    it('settles a thousand deliveries in one call', async () => {
      await publishTexts(h.stores, numbered(996));
      const consumer = h.consumer(BILLING, 'c');
      const entries = await consumer.read({ perQueue: 1_000 });
      const replies = await consumer.ack(...entries);
      expect(replies.filter((reply) => reply === 'settled')).toHaveLength(1_000);
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ undelivered: 0, inFlight: 0 });
    });
  });
}
