import { offsetBefore } from '../../lib/core/message/offset.js';
import { type OpenHarness, useHarness } from './harness.js';
import {
  BILLING,
  declare,
  groupedEntry,
  groupIn,
  join,
  numbered,
  offsetOf,
  publish,
  publishTexts,
  QUEUE,
  texts,
} from './messages.js';
import { LEASE_MS, TestOwner } from './test-owner.js';

const LANE = '=x/ü';
const RETENTION_MS = 60_000;

export function describeRewindLanes(open: OpenHarness): void {
  describe('QueueLeaseStore.rewind', () => {
    const h = useHarness(open);
    let a: TestOwner;
    let offsets: string[];
    beforeEach(async () => {
      await declare(h.stores, { retentionMs: RETENTION_MS });
      await join(h.stores, 'billing');
      offsets = await publishTexts(h.stores, numbered(6));
      a = new TestOwner(h.stores, BILLING, 'a');
      await a.own();
      await a.readOffsets();
    });
    const rewind = (behind: string) => h.stores.leases.rewind(BILLING, behind);
    /** What an owner by this name is given now, and what lanes hold. */
    const given = async (name: string) => {
      const owner = new TestOwner(h.stores, BILLING, name);
      const { entries, records, held } = await owner.own();
      return { owner, entries, records, held, read: await owner.readOffsets() };
    };
    const held = async (): Promise<string[]> =>
      texts(await h.stores.leases.heldEntries(BILLING, LANE, { from: 0, count: 100 }));

    it('hands out again from an offset, the earliest message, or none, as if for the first time', async () => {
      await a.begin('=x', offsets[0]!);
      await a.retry('=x', offsets[0]!, 60_000);
      expect(await rewind(offsetBefore(offsets[3]!))).toBe(true);
      expect(await given('b')).toMatchObject({
        ...{ entries: [], records: [], held: [] },
        read: offsets.slice(3),
      });
      await rewind('0-0');
      await rewind('0-0');
      expect(await given('b')).toMatchObject({ entries: [], records: [], read: offsets });
      await rewind('latest');
      expect(await given('c')).toMatchObject({ entries: [], read: [] });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ undelivered: 0, inFlight: 0 });
    });

    it('leaves the owner nothing to say, under its name or another', async () => {
      await a.begin('=x', offsets[0]!);
      const before = a.proof;
      await rewind('0-0');
      const fenced = { state: 'fenced' };
      expect(await a.ack('=x', offsets[0]!)).toEqual(fenced);
      expect(await a.read()).toEqual(fenced);
      expect(await a.renew()).toEqual(fenced);
      expect(await a.hold('=x', offsets[1]!)).toEqual(fenced);
      expect(await h.stores.leases.view(BILLING)).toEqual({ owner: null, leftMs: 0 });
      const { owner } = await given('a');
      expect(owner.proof.fencingToken).toBeGreaterThan(before.fencingToken);
      expect(await a.ack('=x', offsets[0]!)).toEqual(fenced);
      expect(await owner.begin('=x', offsets[0]!)).toMatchObject({ state: 'done' });
    });

    it('forgets what is held and stands in the log, parked or not, and keeps dead letters', async () => {
      await a.step({ kind: 'dead-letter', lane: '=y', offset: offsets[0]!, note: 'n' });
      await a.park(LANE, offsets[1]!, offsets[2]!);
      await a.hold('=z', offsets[3]!);
      await rewind(offsetBefore(offsets[1]!));
      expect(await h.stores.leases.heldLanes(BILLING)).toEqual([]);
      expect(await held()).toEqual([]);
      expect(await h.stores.deadLetters.count(BILLING)).toBe(1);
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ undelivered: 5, held: 0 });
      expect(await given('b')).toMatchObject({ held: [], read: offsets.slice(1) });
    });

    it('keeps what the log has no more, in front of what it has, from the place on', async () => {
      await a.park(LANE, ...offsets.slice(0, 4));
      await a.step(
        ...offsets.slice(4).map((offset) => ({ kind: 'ack' as const, lane: '=y', offset })),
      );
      await h.advance(RETENTION_MS + 1_000);
      expect(await h.stores.log.trim(QUEUE, 3)).toBe(3);
      await rewind(offsets[0]!);
      expect(await held()).toEqual(['m2', 'm3']);
      const { owner, held: lanes, read } = await given('b');
      expect(lanes).toMatchObject([
        { lane: LANE, state: 'open', from: offsets[1], count: 2, note: '' },
      ]);
      expect(read).toEqual(offsets.slice(3));
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ held: 2, inFlight: 3 });
      expect(await owner.begin(LANE, offsets[3]!)).toMatchObject({ why: 'order' });
      const begin = { kind: 'begin', offset: offsets[1]!, alone: false } as const;
      expect(await owner.stepHeld(LANE, begin)).toMatchObject({ state: 'done' });
    });

    it('lets a queue that was added wait again for the one before it', async () => {
      const moves = groupIn(1);
      const child = { ...BILLING, queue: 1 };
      const acquire = (ref: typeof BILLING) =>
        h.stores.leases.acquire(ref, { owner: 'b', leaseMs: LEASE_MS });
      const stored = await publish(h.stores, [groupedEntry(moves, 'before')]);
      await a.readOffsets();
      await h.stores.topics.alter('orders', { queues: 2 });
      expect(await acquire(child)).toMatchObject({ state: 'gated' });
      await a.ack(`=${moves}`, offsetOf(stored[0]));
      expect(await acquire(child)).toMatchObject({ state: 'acquired' });
      for (const ref of [BILLING, child]) await h.stores.leases.rewind(ref, '0-0');
      expect(await acquire(child)).toMatchObject({ state: 'gated', gate: { waitsFor: 'unread' } });
      const { owner, read } = await given('c');
      for (const offset of read) await owner.ack(`#${offset}`, offset);
      expect(await acquire(child)).toMatchObject({ state: 'acquired' });
    });

    it('leaves other groups alone, and makes none', async () => {
      await join(h.stores, 'audit');
      const audit = new TestOwner(h.stores, { ...BILLING, group: 'audit' }, 'a');
      await audit.own();
      await audit.readOffsets(2);
      await rewind('0-0');
      expect(await audit.readOffsets()).toEqual(offsets.slice(2));
      const nobody = { ...BILLING, group: 'nobody' };
      expect(await h.stores.leases.rewind(nobody, '0-0')).toBe(false);
      expect(await h.stores.leases.rewind({ ...nobody, topic: 'nowhere' }, '0-0')).toBe(false);
    });
  });
}
