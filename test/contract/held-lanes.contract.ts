import { type OpenHarness, useHarness } from './harness.js';
import { BILLING, declare, join, numbered, publishTexts, QUEUE, texts } from './messages.js';
import { LEASE_MS, TestOwner } from './test-owner.js';

export function describeHeldLanes(open: OpenHarness): void {
  describe('QueueLeaseStore.hold, stepHeld and resume', () => {
    const h = useHarness(open);
    let a: TestOwner;
    let offsets: string[];
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
      offsets = await publishTexts(h.stores, numbered(6));
      a = new TestOwner(h.stores, BILLING, 'a');
      await a.own();
      await a.readOffsets();
    });
    const lane = '=x/ü';
    const held = async (): Promise<string[]> =>
      texts(await h.stores.leases.heldEntries(BILLING, lane, { from: 0, count: 100 }));
    const heldLane = async () => (await h.stores.leases.heldLanes(BILLING))[0];
    const resume = (action: 'retry' | 'dead-letter' | 'skip') =>
      h.stores.leases.resume(BILLING, lane, { action, note: 'gave up' });

    it('moves deliveries out of the way, in their order, and counts them', async () => {
      await a.hold(lane, offsets[1]!, offsets[2]!);
      await a.hold(lane, offsets[4]!);
      expect(await held()).toEqual(['m2', 'm3', 'm5']);
      expect(await heldLane()).toEqual({
        lane,
        state: 'open',
        from: offsets[1],
        count: 3,
        since: h.now(),
        note: '',
      });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 3, held: 3 });
      expect(await h.stores.log.extent(QUEUE)).toMatchObject({ length: 6 });
    });

    it('runs what was in hand before what is held, and that in its order', async () => {
      await a.hold(lane, offsets[1]!, offsets[2]!);
      const order = { state: 'refused', why: 'order' };
      expect(await a.begin(lane, offsets[3]!)).toMatchObject(order);
      expect(await a.begin(lane, offsets[0]!)).toMatchObject({ state: 'done' });
      expect(await a.stepHeld(lane, begin(offsets[1]!))).toMatchObject(order);
      await a.ack(lane, offsets[0]!);
      expect(await a.stepHeld(lane, begin(offsets[2]!))).toMatchObject({ why: 'gone' });
      expect(await a.stepHeld(lane, begin(offsets[1]!))).toMatchObject({ state: 'done' });
      const both = [{ kind: 'ack', offset: offsets[1]! } as const, begin(offsets[2]!)];
      expect(await a.stepHeld(lane, ...both)).toMatchObject({ state: 'done' });
      expect(await held()).toEqual(['m3']);
      await a.stepHeld(lane, { kind: 'ack', offset: offsets[2]! });
      expect(await heldLane()).toBeUndefined();
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 3, held: 0 });
      expect(await a.begin(lane, offsets[3]!)).toMatchObject({ state: 'done' });
    });

    it('parks a lane with everything it has, in front of what it held', async () => {
      await a.begin(lane, offsets[0]!);
      await a.hold(lane, offsets[2]!);
      expect(await a.park(lane, offsets[1]!)).toMatchObject({ state: 'refused', why: 'order' });
      expect(await a.park(lane, offsets[0]!, offsets[1]!)).toMatchObject({ state: 'done' });
      expect(await held()).toEqual(['m1', 'm2', 'm3']);
      expect(await heldLane()).toMatchObject({ state: 'parked', from: offsets[0], note: 'why' });
      await a.hold(lane, offsets[4]!);
      expect(await held()).toEqual(['m1', 'm2', 'm3', 'm5']);
      const order = { state: 'refused', why: 'order' };
      expect(await a.begin(lane, offsets[5]!)).toMatchObject(order);
      expect(await a.stepHeld(lane, begin(offsets[0]!))).toMatchObject(order);
    });

    it('keeps what is held across owners, and costs it no attempt', async () => {
      await a.begin(lane, offsets[0]!);
      await a.park(lane, offsets[0]!);
      await h.advance(LEASE_MS);
      const b = new TestOwner(h.stores, BILLING, 'b');
      const loaded = await b.own();
      expect(loaded.entries.map(({ offset }) => offset)).toEqual(offsets.slice(1));
      expect(loaded.records).toEqual([]);
      expect(loaded.held).toMatchObject([{ lane, state: 'parked', count: 1, note: 'why' }]);
    });

    it('counts attempts of what is held as of anything else', async () => {
      await a.hold(lane, offsets[0]!);
      await a.stepHeld(lane, begin(offsets[0]!));
      const wait = { kind: 'retry', delayMs: 500, history: 'h', counted: true } as const;
      await a.stepHeld(lane, { ...wait, offset: offsets[0]! });
      expect((await a.own()).records).toMatchObject([{ lane, attempt: 2, leftMs: 500 }]);
    });

    it.each([
      ['retry', ['m1', 'm2'], 0],
      ['skip', ['m2'], 0],
      ['dead-letter', ['m2'], 1],
    ] as const)('resumes a parked lane: %s', async (action, left, deadLetters) => {
      await a.begin(lane, offsets[0]!);
      await a.park(lane, offsets[0]!, offsets[1]!);
      expect(await resume(action)).toBe(true);
      expect(await resume(action)).toBe(false);
      expect(await a.renew()).toMatchObject({ nudge: 1 });
      expect(await held()).toEqual(left);
      expect(await heldLane()).toMatchObject({ state: 'open', count: left.length, note: '' });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({
        held: left.length,
        deadLetters,
      });
      expect((await a.own()).records).toEqual([]);
      if (deadLetters > 0)
        expect(await h.stores.deadLetters.list(BILLING, { count: 2 })).toMatchObject([
          { offset: offsets[0], note: 'why', content: { kind: 'message' } },
        ]);
    });

    it('forgets a parked lane with its last message', async () => {
      await a.park(lane, offsets[0]!);
      await resume('skip');
      expect(await heldLane()).toBeUndefined();
      expect(await a.begin(lane, offsets[1]!)).toMatchObject({ state: 'done' });
    });

    it('dead-letters and parks what is held', async () => {
      await a.hold(lane, offsets[0]!, offsets[1]!);
      await a.stepHeld(lane, begin(offsets[0]!));
      await a.stepHeld(
        lane,
        { kind: 'dead-letter', offset: offsets[0]!, note: 'n' },
        begin(offsets[1]!),
      );
      await a.stepHeld(lane, { kind: 'park', offset: offsets[1]!, note: 'again' });
      expect(await heldLane()).toMatchObject({ state: 'parked', count: 1, note: 'again' });
      expect(await h.stores.deadLetters.list(BILLING, { count: 2 })).toMatchObject([
        { offset: offsets[0], note: 'n' },
      ]);
    });

    it('holds the entries of other programs as they are, however many fields they have', async () => {
      const fields = Array.from({ length: 2_000 }, (_, i) => Buffer.from(`f${i}`));
      const offset = await h.tamper.addForeign(QUEUE, fields);
      await a.readOffsets();
      await a.hold(lane, offset);
      const [entry] = await h.stores.leases.heldEntries(BILLING, lane, { from: 0, count: 1 });
      expect(entry).toEqual({ ...QUEUE, offset, content: { kind: 'foreign', fields } });
      await a.stepHeld(lane, { kind: 'dead-letter', offset, note: 'n' });
      expect(await h.stores.deadLetters.list(BILLING, { count: 1 })).toMatchObject([
        { content: { kind: 'foreign', fields } },
      ]);
    });

    it('goes with its group', async () => {
      await a.park(lane, offsets[0]!);
      await h.stores.topics.removeGroup('orders', 'billing');
      await join(h.stores, 'billing');
      expect(await h.stores.leases.heldLanes(BILLING)).toEqual([]);
      expect(await held()).toEqual([]);
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ held: 0 });
    });
  });
}

function begin(offset: string) {
  return { kind: 'begin', offset, alone: false } as const;
}
