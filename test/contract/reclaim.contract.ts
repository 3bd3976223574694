import { type OpenHarness, useHarness } from './harness.js';
import { BILLING, declare, join, numbered, publishTexts, text, texts } from './messages.js';

export function describeReclaim(open: OpenHarness): void {
  describe('DeliveryStore.reclaim', () => {
    const h = useHarness(open);
    const reclaim = (consumer: string, limit = 1_000) =>
      h.stores.deliveries.reclaim(BILLING, consumer, limit);
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
    });

    it('takes back what a dead consumer held and forgets the consumer', async () => {
      await publishTexts(h.stores, ['a', 'b', 'c', 'd']);
      const dead = h.consumer(BILLING, 'dead');
      const [, second] = await dead.read({ perQueue: 3 });
      await dead.ack(second!);
      await h.consumer(BILLING, 'alive').read();
      expect(await reclaim('dead')).toEqual({ taken: 2, left: 0 });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 1, waiting: 2 });
      expect(await h.stores.deliveries.consumers(BILLING)).toEqual(['alive']);
    });

    it('is safe to repeat, and knows nothing of strangers', async () => {
      await publishTexts(h.stores, ['a']);
      await h.consumer(BILLING, 'dead').read();
      await reclaim('dead');
      expect(await reclaim('dead')).toEqual({ taken: 0, left: 0 });
      expect(await reclaim('stranger')).toEqual({ taken: 0, left: 0 });
      const entry = await h.consumer(BILLING, 'alive').claimOne({ suspect: true });
      expect(entry).toMatchObject({ attempt: 1, suspect: true });
    });

    it('takes at most `limit` per call and forgets the consumer only when it holds nothing', async () => {
      await publishTexts(h.stores, numbered(5));
      await h.consumer(BILLING, 'dead').read();
      expect(await reclaim('dead', 2)).toEqual({ taken: 2, left: 3 });
      expect(await h.stores.deliveries.consumers(BILLING)).toContain('dead');
      expect(await reclaim('dead', 2)).toEqual({ taken: 2, left: 1 });
      expect(await reclaim('dead', 2)).toEqual({ taken: 1, left: 0 });
      expect(await h.stores.deliveries.consumers(BILLING)).not.toContain('dead');
    });

    it('takes a thousand deliveries back, oldest first', async () => {
      const offsets = await publishTexts(h.stores, numbered(1_000));
      await h.consumer(BILLING, 'dead').read({ perQueue: 1_000 });
      expect(await reclaim('dead', 400)).toEqual({ taken: 400, left: 600 });
      const settled = await h.stores.deliveries.settle(BILLING, 'dead', [
        { offset: offsets[399]!, deliveryCount: 1, settlement: { kind: 'ack' } },
        { offset: offsets[400]!, deliveryCount: 1, settlement: { kind: 'ack' } },
      ]);
      expect(settled).toEqual(['stale', 'settled']);
      let taken = 0;
      for (let left = Infinity; left > 0;) {
        const reply = await reclaim('dead', 1_000);
        expect(reply.taken).toBeGreaterThan(0);
        taken += reply.taken;
        left = reply.left;
      }
      expect(taken).toBe(599);
    });

    it('refuses the settles of the consumer that was given up', async () => {
      await publishTexts(h.stores, ['a']);
      const paused = h.consumer(BILLING, 'paused');
      const entry = await paused.readOne();
      await reclaim('paused');
      expect(await paused.ack(entry)).toEqual(['stale']);
      const alive = h.consumer(BILLING, 'alive', await h.sibling());
      const again = await alive.claimOne({ suspect: true });
      expect(await paused.ack(entry)).toEqual(['stale']);
      expect(await paused.renew([entry])).toEqual({ lost: [entry.offset], released: 0 });
      expect(await alive.ack(again)).toEqual(['settled']);
    });

    it('hands suspects out one at a time and only when asked', async () => {
      await publishTexts(h.stores, numbered(3));
      await h.consumer(BILLING, 'dead').read();
      await reclaim('dead');
      const alive = h.consumer(BILLING, 'alive');
      const unasked = await alive.claim({ suspect: false });
      expect(unasked.entries).toEqual([]);
      expect(unasked.nextDueAt).toBeLessThanOrEqual(h.now());
      for (const body of numbered(3)) {
        const { entries } = await alive.claim({ suspect: true });
        expect(texts(entries)).toEqual([body]);
        expect(entries[0]).toMatchObject({ suspect: true, attempt: 1, deliveryCount: 2 });
        await alive.ack(entries[0]!);
      }
      expect(await alive.claim({ suspect: true })).toMatchObject({ entries: [], nextDueAt: null });
    });

    it('hands out a suspect besides others that are due', async () => {
      await publishTexts(h.stores, numbered(4));
      const dead = h.consumer(BILLING, 'dead');
      await dead.read({ perQueue: 2 });
      await reclaim('dead');
      const alive = h.consumer(BILLING, 'alive');
      await alive.release(...(await alive.read()));
      expect(texts((await alive.claim({ suspect: false, limit: 1 })).entries)).toHaveLength(1);
      const { entries } = await alive.claim({ suspect: true });
      expect(entries.filter(({ suspect }) => suspect)).toHaveLength(1);
      expect(entries.filter(({ suspect }) => !suspect)).toHaveLength(1);
    });

    it('hands out the suspect first, so that others cannot keep it waiting, and not more than `limit`', async () => {
      await publishTexts(h.stores, numbered(3));
      await h.consumer(BILLING, 'dead').read({ perQueue: 1 });
      const alive = h.consumer(BILLING, 'alive');
      await alive.release(...(await alive.read()));
      await h.advance(10);
      await reclaim('dead');
      const { entries } = await alive.claim({ suspect: true, limit: 1 });
      expect(texts(entries)).toEqual(['m1']);
      expect((await alive.claim({ suspect: true, limit: 2 })).entries).toHaveLength(2);
    });

    it('lets only the message that ran alone pay for a crash', async () => {
      await publishTexts(h.stores, ['poison', 'innocent']);
      await h.consumer(BILLING, 'c0').read();
      await reclaim('c0');
      let crashes = 0;
      let innocent;
      while (!innocent) {
        const consumer = h.consumer(BILLING, `c${crashes + 1}`);
        const entry = await consumer.claimOne({ suspect: true });
        if (text(entry) === 'innocent') {
          innocent = entry;
          await consumer.ack(entry);
        } else {
          expect(entry.attempt).toBe(++crashes);
          await reclaim(consumer.name);
          await h.advance(10);
        }
      }
      expect(innocent).toMatchObject({ attempt: 1, suspect: true });
      const poison = await h.consumer(BILLING, 'last').claimOne({ suspect: true });
      expect(poison).toMatchObject({ attempt: crashes + 1, suspect: true });
    });

    it('counts each start of a message that keeps killing its consumer', async () => {
      await publishTexts(h.stores, ['poison']);
      await h.consumer(BILLING, 'c0').read();
      await reclaim('c0');
      for (let attempt = 1; attempt <= 4; attempt++) {
        const entry = await h.consumer(BILLING, `c${attempt}`).claimOne({ suspect: true });
        expect(entry).toMatchObject({ attempt, suspect: true, deliveryCount: attempt + 1 });
        await reclaim(`c${attempt}`);
      }
    });

    it('does not count a later start either when it did not run alone', async () => {
      await publishTexts(h.stores, ['a']);
      const first = h.consumer(BILLING, 'first');
      await first.retry(await first.readOne(), 0, 'failed once');
      await h.consumer(BILLING, 'dead').claimOne();
      await reclaim('dead');
      const entry = await h.consumer(BILLING, 'next').claimOne({ suspect: true });
      expect(entry).toMatchObject({ attempt: 2, suspect: true, history: 'failed once' });
    });

    it('clears a suspect that failed by itself', async () => {
      await publishTexts(h.stores, ['a']);
      await h.consumer(BILLING, 'dead').read();
      await reclaim('dead');
      const alive = h.consumer(BILLING, 'alive');
      await alive.retry(await alive.claimOne({ suspect: true }), 0, 'h');
      const entry = await alive.claimOne({ suspect: false });
      expect(entry).toMatchObject({ attempt: 2, suspect: false, history: 'h' });
      await reclaim('alive');
      expect(await h.consumer(BILLING, 'next').claimOne({ suspect: true })).toMatchObject({
        attempt: 2,
      });
    });

    it('keeps suspecting a message that was released before it was started', async () => {
      await publishTexts(h.stores, ['a']);
      await h.consumer(BILLING, 'dead').read();
      await reclaim('dead');
      const alive = h.consumer(BILLING, 'alive');
      await alive.release(await alive.claimOne({ suspect: true }));
      expect((await alive.claim({ suspect: false })).entries).toEqual([]);
      expect(await alive.claimOne({ suspect: true })).toMatchObject({ attempt: 1, suspect: true });
    });

    it('starts from nothing after a settle: a redriven message has no record left', async () => {
      await publishTexts(h.stores, ['a']);
      await h.consumer(BILLING, 'dead').read();
      await reclaim('dead');
      const alive = h.consumer(BILLING, 'alive');
      await alive.deadLetter(await alive.claimOne({ suspect: true }));
      const [letter] = await h.stores.deadLetters.list(BILLING, { count: 1 });
      await h.stores.deadLetters.redrive(BILLING, letter!.id);
      expect(await alive.readOne()).toMatchObject({ attempt: 1, suspect: false, history: '' });
    });
  });
}
