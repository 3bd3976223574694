import { InvalidInputError } from '../../lib/core/message/errors.js';
import type { GroupQueue } from '../../lib/core/store/delivery-store.js';
import { frameMessageId } from '../../lib/core/message/wire-format.js';
import { appendCall, callOf } from './append-call.js';
import { halfOf, MINE, prepare } from './halves.js';
import { type OpenHarness, useHarness } from './harness.js';
import { declare, groupedEntry, groupIn, join, logTexts, publish, texts } from './messages.js';
import { LEASE_MS, TestOwner } from './test-owner.js';

const OLD: GroupQueue = { topic: 'orders', queue: 0, group: 'billing' };
const ADDED: GroupQueue = { topic: 'orders', queue: 1, group: 'billing' };
/** Both are in queue 0 of one; of two queues, each is in its own. */
const STAYS = groupIn(0);
const MOVES = groupIn(1);

export function describeGrowth(open: OpenHarness): void {
  describe('a topic that grows', () => {
    const h = useHarness(open);
    const owner = (ref: GroupQueue): TestOwner => new TestOwner(h.stores, ref, 'a');
    const grow = (queues: number) => h.stores.topics.alter('orders', { queues });
    /** Why the group may not read the new queue yet. */
    const gate = (ref = ADDED) => h.stores.leases.gate(ref);
    /** What the owner of the old queue was given, and the lanes of that. */
    const readOld = async (): Promise<{ a: TestOwner; offsets: string[] }> => {
      const a = owner(OLD);
      await a.own();
      return { a, offsets: await a.readOffsets() };
    };
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
    });

    it('has a newer generation, keeps its other settings, and says that it grew', async () => {
      const before = (await h.stores.topics.find('orders'))!;
      expect(await h.stores.topics.grown()).toEqual(new Map());
      const after = (await grow(4))!;
      expect(after).toEqual({ ...before, queues: 4, generation: after.generation });
      expect(after.generation).toBeGreaterThan(before.generation);
      expect(await h.stores.topics.declare('orders', { queues: 1 })).toEqual(after);
      expect(await h.stores.topics.grown()).toEqual(new Map([['orders', 4]]));
      await h.stores.topics.remove('orders');
      expect(await h.stores.topics.grown()).toEqual(new Map());
    });

    it('changes nothing when asked again, or for anything but a multiple', async () => {
      const grown = (await grow(2))!;
      expect(await grow(2)).toEqual(grown);
      await expect(grow(3)).rejects.toThrow(InvalidInputError);
      await expect(grow(1)).rejects.toThrow(/can only become a multiple/);
      expect(await h.stores.topics.find('orders')).toEqual(grown);
    });

    it('answers who still sends by the old generation, and a repeat of what it had stored', async () => {
      const stored = callOf({ number: 1 }, ['m1']);
      const { generation } = (await h.stores.topics.find('orders'))!;
      await appendCall(h.stores, { ...stored, generation });
      const after = (await grow(2))!;
      const next = callOf({ number: 2 }, ['m2']);
      expect(await appendCall(h.stores, { ...next, generation })).toEqual({
        state: 'moved',
        generation: after.generation,
      });
      expect(await appendCall(h.stores, { ...stored, generation })).toMatchObject({
        state: 'appended',
      });
      expect(await logTexts(h.stores)).toEqual(['m1']);
    });

    it('has every group read the new queues from their start', async () => {
      await grow(2);
      await publish(h.stores, ['m1'], ADDED);
      await join(h.stores, 'billing', 'latest');
      const [entry] = await h.consumer(ADDED, 'c').read();
      expect(texts([entry!])).toEqual(['m1']);
    });

    it('gives nobody a new queue before what was sent to its message groups is settled', async () => {
      await publish(h.stores, [groupedEntry(MOVES, 'm1'), groupedEntry(STAYS, 's1')]);
      expect(await gate(OLD)).toBeUndefined();
      await grow(2);
      const claim = { owner: 'b', leaseMs: LEASE_MS };
      expect(await h.stores.leases.acquire(ADDED, claim)).toEqual({
        state: 'gated',
        gate: { behind: 0, waitsFor: 'unread', messageGroups: [] },
      });
      const { a, offsets } = await readOld();
      expect(await owner(ADDED).acquire()).toBe(false);
      expect(await gate()).toEqual({ behind: 0, waitsFor: 'unsettled', messageGroups: [MOVES] });
      await a.begin(`=${MOVES}`, offsets[0]!);
      expect(await owner(ADDED).acquire()).toBe(false);
      await a.ack(`=${MOVES}`, offsets[0]!);
      // What fails in the old queue and stays there keeps nobody waiting.
      await a.begin(`=${STAYS}`, offsets[1]!);
      await a.retry(`=${STAYS}`, offsets[1]!, 60_000);
      const added = owner(ADDED);
      expect(await added.acquire()).toBe(true);
      expect(added.proof.fencingToken).toBeGreaterThan(a.proof.fencingToken);
      expect(await gate()).toBeUndefined();
    });

    it('does not wait for what was sent to the old queue since', async () => {
      await grow(2);
      await publish(h.stores, [groupedEntry(MOVES, 'by its number')]);
      expect(await owner(ADDED).acquire()).toBe(true);
    });

    it('waits for parked messages of its message groups, and for no others', async () => {
      await publish(h.stores, [groupedEntry(MOVES, 'm1'), groupedEntry(STAYS, 's1')]);
      await grow(2);
      const { a, offsets } = await readOld();
      await a.park(`=${MOVES}`, offsets[0]!);
      await a.park(`=${STAYS}`, offsets[1]!);
      expect(await owner(ADDED).acquire()).toBe(false);
      expect(await gate()).toEqual({ behind: 0, waitsFor: 'parked', messageGroups: [MOVES] });
      await h.stores.leases.resume(OLD, `=${MOVES}`, { action: 'retry', note: '' });
      expect(await gate()).toEqual({ behind: 0, waitsFor: 'unsettled', messageGroups: [MOVES] });
      await a.own();
      await a.stepHeld(`=${MOVES}`, { kind: 'park', offset: offsets[0]!, note: 'again' });
      await h.stores.leases.resume(OLD, `=${MOVES}`, { action: 'skip', note: '' });
      expect(await owner(ADDED).acquire()).toBe(true);
    });

    it('waits for delayed messages of a group that were sent before', async () => {
      const delayed = groupedEntry(MOVES, 'later', { due: { delayMs: 60_000 } });
      await publish(h.stores, [delayed]);
      await grow(2);
      const { a } = await readOld();
      expect(await owner(ADDED).acquire()).toBe(false);
      expect(await gate()).toEqual({ behind: 0, waitsFor: 'scheduled', messageGroups: [] });
      await h.advance(60_000);
      await h.stores.schedule.releaseDue(OLD, 10);
      expect(await owner(ADDED).acquire()).toBe(false);
      await a.own();
      const [offset] = await a.readOffsets();
      await a.begin(`=${MOVES}`, offset!);
      await a.ack(`=${MOVES}`, offset!);
      expect(await owner(ADDED).acquire()).toBe(true);
    });

    it('waits for the last of many delayed messages, when all others are cancelled', async () => {
      const delayed = Array.from({ length: 300 }, (_, n) =>
        groupedEntry(MOVES, `d${n}`, { due: { delayMs: 60_000 } }),
      );
      await publish(h.stores, delayed);
      await grow(2);
      const [last, ...others] = delayed.map(({ frame }) => frameMessageId(frame));
      for (const id of others) expect(await h.stores.schedule.cancel(OLD, id)).toBe(true);
      // A store may look through some of them each time.
      for (let n = 0; n < 20; n++) expect(await gate()).toBeDefined();
      expect(await gate()).toEqual({ behind: 0, waitsFor: 'scheduled', messageGroups: [] });
      expect(await h.stores.schedule.cancel(OLD, last!)).toBe(true);
      for (let n = 0; n < 100 && (await gate())?.waitsFor === 'unread'; n++);
      expect(await owner(ADDED).acquire()).toBe(true);
    });

    it('waits for what is in hand behind many that stay', async () => {
      const stay = Array.from({ length: 150 }, (_, n) => groupedEntry(STAYS, `s${n}`));
      await publish(h.stores, [...stay, groupedEntry(MOVES, 'm1')]);
      await grow(2);
      const a = owner(OLD);
      await a.own();
      const offsets = await a.readOffsets(200);
      expect(offsets).toHaveLength(151);
      expect(await gate()).toMatchObject({ behind: 0, waitsFor: 'unsettled' });
      expect(await owner(ADDED).acquire()).toBe(false);
    });

    it('commits halves where they were prepared, and waits for them', async () => {
      const half = halfOf([groupedEntry(MOVES, 'm1')]);
      await prepare(h.stores, half);
      await grow(2);
      const { a } = await readOld();
      expect(await owner(ADDED).acquire()).toBe(false);
      expect(await gate()).toEqual({ behind: 0, waitsFor: 'half', messageGroups: [] });
      await h.stores.halves.commit(MINE, [half.id]);
      expect(await owner(ADDED).acquire()).toBe(false);
      const [offset] = await a.readOffsets();
      await a.begin(`=${MOVES}`, offset!);
      await a.ack(`=${MOVES}`, offset!);
      expect(await owner(ADDED).acquire()).toBe(true);
    });

    it('waits through every growth for what was sent before the first', async () => {
      const far = groupIn(3, 4);
      await publish(h.stores, [groupedEntry(far, 'm1')]);
      await grow(2);
      await grow(4);
      const { a, offsets } = await readOld();
      const last = owner({ ...ADDED, queue: 3 });
      expect(await last.acquire()).toBe(false);
      await a.begin(`=${far}`, offsets[0]!);
      await a.ack(`=${far}`, offsets[0]!);
      expect(await last.acquire()).toBe(false);
      const lastGate = { behind: 1, waitsFor: 'gated', messageGroups: [] };
      expect(await gate({ ...ADDED, queue: 3 })).toEqual(lastGate);
      expect(await owner(ADDED).acquire()).toBe(true);
      expect(await last.acquire()).toBe(true);
    });

    it('waits through every growth for what was delayed before the first', async () => {
      const far = groupIn(2, 4);
      const delayed = groupedEntry(far, 'later', { due: { delayMs: 60_000 } });
      await publish(h.stores, [delayed]);
      await grow(2);
      await grow(4);
      const { a } = await readOld();
      const last = owner({ ...ADDED, queue: 2 });
      expect(await last.acquire()).toBe(false);
      await h.advance(60_000);
      await h.stores.schedule.releaseDue(OLD, 10);
      // Of the first growth: another than the one that the last queue waits for.
      expect(await owner(ADDED).acquire()).toBe(false);
      expect(await last.acquire()).toBe(false);
      await a.own();
      const [offset] = await a.readOffsets();
      expect(await last.acquire()).toBe(false);
      await a.begin(`=${far}`, offset!);
      await a.ack(`=${far}`, offset!);
      expect(await last.acquire()).toBe(true);
    });
  });
}
