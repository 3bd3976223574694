import {
  callOf,
  CHECK_AFTER_MS,
  halfOf,
  MINE,
  newTransaction,
  prepare,
  prepared,
  statesOf,
} from './halves.js';
import { type OpenHarness, useHarness } from './harness.js';
import { bodyOf, declare, entryOf, logTexts, numbered, QUEUE } from './messages.js';

const LEASE_MS = 10_000;

/** What checkers and operators do with halves. */
export function describeHalfChecks(open: OpenHarness): void {
  describe('HalfMessageStore, checks', () => {
    const h = useHarness(open);
    const claim = (limit = 100, frames = false, stores = h.stores) =>
      stores.halves.claimDue(MINE, { limit, leaseMs: LEASE_MS, frames });
    const claimedIds = async () => (await claim()).halves.map(({ id }) => id);
    const extend = (id: string, afterMs: number, answered = false) =>
      h.stores.halves.extend(MINE, [{ id, afterMs, answered }]);
    beforeEach(() => declare(h.stores, { queues: 2 }));

    it('hands out nothing before its time, and says when to come back', async () => {
      await prepared(h.stores, 'a');
      const nextCheckAt = h.now() + CHECK_AFTER_MS;
      await h.advance(CHECK_AFTER_MS - 1);
      const none = { halves: [], unreadable: [], nextCheckAt, waiting: 1 };
      expect(await claim()).toEqual({ now: h.now(), ...none });
      await h.advance(1);
      expect((await claim()).halves).toHaveLength(1);
    });

    it('hands out what is known about a half, with its messages when they are asked for', async () => {
      const later = entryOf('later', { due: { delayMs: 7_000 } });
      const half = halfOf(['a', later], { name: 'orders db' });
      const preparedAt = h.now();
      await prepare(h.stores, half);
      await h.advance(CHECK_AFTER_MS);
      const facts = {
        id: half.id,
        owner: MINE.owner,
        name: 'orders db',
        preparedAt,
        checks: 0,
        messages: 2,
        dues: [undefined, { delayMs: 7_000 }],
      };
      expect((await claim()).halves).toEqual([{ ...facts, frames: [] }]);
      await h.advance(LEASE_MS);
      const [claimed] = (await claim(1, true)).halves;
      expect(claimed).toEqual({ ...facts, frames: half.entries.map(({ frame }) => frame) });
    });

    it('lets nothing wait for longer because the clock is set back', async () => {
      const [early, late] = await prepared(h.stores, 'a', 'b');
      await extend(late!, 60_000);
      h.jump(-3_600_000);
      expect(await claim()).toMatchObject({ halves: [], nextCheckAt: h.now() + CHECK_AFTER_MS });
      await h.advance(CHECK_AFTER_MS);
      expect(await claimedIds()).toEqual([early]);
      h.jump(-3_600_000);
      expect(await claimedIds()).toEqual([]);
      await h.advance(LEASE_MS);
      expect(await claimedIds()).toEqual([early]);
      await h.advance(60_000);
      expect((await claimedIds()).sort()).toEqual([early, late].sort());
    });

    it('gives each half to one checker until the lease ends', async () => {
      const ids = await prepared(h.stores, ...numbered(30));
      await h.advance(CHECK_AFTER_MS);
      const other = await h.sibling();
      const claims = await Promise.all([claim(20), claim(20, false, other), claim(20)]);
      const claimed = claims.flatMap(({ halves }) => halves.map(({ id }) => id));
      expect(claimed.sort()).toEqual([...ids].sort());
      expect(await claim()).toMatchObject({ halves: [], waiting: 30 });
      await h.advance(LEASE_MS);
      expect((await claim()).halves).toHaveLength(30);
    });

    it('hands out the longest due first, as many as were asked for', async () => {
      const [late, early, middle] = [9_000, 1_000, 5_000].map((checkAfterMs) =>
        halfOf(['x'], { checkAfterMs }),
      );
      await prepare(h.stores, late!, early!, middle!);
      await h.advance(9_000);
      const first = await claim(2);
      expect(first.halves.map(({ id }) => id)).toEqual([early!.id, middle!.id]);
      expect(first.nextCheckAt).toBeLessThanOrEqual(h.now());
      expect(await claimedIds()).toEqual([late!.id]);
    });

    it('keeps owners and queues apart', async () => {
      const [mine, theirs, elsewhere] = [halfOf(['a']), halfOf(['b']), halfOf(['c'])];
      await prepare(h.stores, mine);
      const call = await callOf(h.stores, [theirs], { owner: 'm:group/place an order' });
      await h.stores.halves.prepare(call);
      await h.stores.halves.prepare(await callOf(h.stores, [elsewhere], { queue: 1 }));
      await h.advance(CHECK_AFTER_MS);
      expect(await claimedIds()).toEqual([mine.id]);
      const { halves } = await h.stores.halves.claimDue(call, {
        limit: 9,
        leaseMs: 1,
        frames: false,
      });
      expect(halves).toMatchObject([{ id: theirs.id, owner: call.owner }]);
      expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 2, parked: 0 });
    });

    it('asks later when the owner is still at work, or nobody knows', async () => {
      const [id] = await prepared(h.stores, 'a');
      await h.advance(CHECK_AFTER_MS - 1);
      expect(await extend(id!, 3_000)).toEqual([{ id, state: 'extended' }]);
      await h.advance(2_999);
      expect(await claimedIds()).toEqual([]);
      await h.advance(1);
      expect((await claim()).halves).toMatchObject([{ id, checks: 0 }]);
      await extend(id!, 500, true);
      await h.advance(500);
      expect((await claim(9, true)).halves).toMatchObject([{ id, checks: 1 }]);
      await h.stores.halves.commit(MINE, [id!]);
      expect(await logTexts(h.stores)).toEqual(['a']);
    });

    it('says what became of a half that is extended or parked too late', async () => {
      const [a, b] = await prepared(h.stores, 'a', 'b');
      const [committed] = await h.stores.halves.commit(MINE, [a!]);
      await h.stores.halves.rollback(MINE, [b!]);
      const never = newTransaction();
      const answers = [committed, { id: b, state: 'rolled-back' }, { id: never, state: 'unknown' }];
      const ids = [a!, b!, never];
      const later = ids.map((id) => ({ id, afterMs: 1, answered: true }));
      expect(await h.stores.halves.extend(MINE, later)).toEqual(answers);
      const aside = ids.map((id) => ({ id, reason: 'why' }));
      expect(await h.stores.halves.park(MINE, aside)).toEqual(answers);
      expect(await h.stores.halves.unpark(MINE, ids)).toEqual(answers);
      expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 0 });
    });

    it('asks nobody about a parked half, which can still be committed or rolled back', async () => {
      const ids = await prepared(h.stores, 'a', 'b', 'c');
      const [a, b] = ids;
      const reason = 'its marker is too old: 100 %';
      const items = ids.map((id) => ({ id, reason }));
      expect(statesOf(await h.stores.halves.park(MINE, items))).toEqual(Array(3).fill('parked'));
      expect(statesOf(await extend(a!, 1))).toEqual(['parked']);
      await h.advance(60_000);
      expect(await claim()).toMatchObject({ halves: [], nextCheckAt: null, waiting: 0 });
      expect(await h.stores.halves.find(QUEUE, a!)).toMatchObject({
        parked: reason,
        checkAt: null,
      });
      expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 3 });
      await h.stores.halves.commit(MINE, [a!]);
      await h.stores.halves.rollback(MINE, [b!]);
      expect(await logTexts(h.stores)).toEqual(['a']);
      expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 1 });
    });

    it('asks at once about a half that is taken up again, and counts its checks anew', async () => {
      const [id] = await prepared(h.stores, 'a');
      await extend(id!, 60_000, true);
      await h.stores.halves.park(MINE, [{ id: id!, reason: 'why' }]);
      expect(await h.stores.halves.unpark(MINE, [id!])).toEqual([{ id, state: 'extended' }]);
      expect((await claim()).halves).toMatchObject([{ id, checks: 0 }]);
      expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 1, parked: 0 });
    });

    it('knows when the oldest transaction began that waits here', async () => {
      expect(await h.stores.halves.oldest(MINE)).toBeNull();
      const old = halfOf(['x'], { id: newTransaction(1_750_000_000_000) });
      const young = halfOf(['x'], { id: newTransaction(1_750_000_005_000) });
      await prepare(h.stores, young, old);
      expect(await h.stores.halves.oldest(MINE)).toBe(1_750_000_000_000);
      await h.stores.halves.park(MINE, [{ id: old.id, reason: 'why' }]);
      expect(await h.stores.halves.oldest(MINE)).toBe(1_750_000_005_000);
      await h.stores.halves.commit(MINE, [young.id]);
      expect(await h.stores.halves.oldest(MINE)).toBeNull();
    });

    it('lists halves page by page in order of their transactions, and finds one', async () => {
      const ids = await prepared(h.stores, ...numbered(7));
      const call = await callOf(h.stores, [halfOf(['theirs'])], { owner: 'm:other' });
      await h.stores.halves.prepare(call);
      const found: string[] = [];
      for (let page; !page || page.length === 3; found.push(...page.map(({ id }) => id)))
        page = await h.stores.halves.list(QUEUE, { count: 3, after: found.at(-1) });
      expect(found).toEqual([...ids, call.halves[0]!.id].sort());
      const one = await h.stores.halves.find(QUEUE, ids[2]!);
      expect(one).toMatchObject({ ...MINE, id: ids[2], parked: null, messages: 1, checks: 0 });
      expect(one!.checkAt).toBe(one!.preparedAt + CHECK_AFTER_MS);
      expect(one!.frames.map((frame) => bodyOf(frame).toString())).toEqual(['m3']);
      expect(await h.stores.halves.find(QUEUE, newTransaction())).toBeUndefined();
      expect(await h.stores.halves.list({ topic: 'nowhere', queue: 0 }, { count: 9 })).toEqual([]);
    });

    it('has an agenda of its own for each board', async () => {
      const mine = h.stores.halves.agenda('d:db-1');
      await mine.note('orders/0', h.now());
      const take = { limit: 9, leaseMs: 1_000 };
      expect((await h.stores.agenda.take(take)).taken).toEqual([]);
      expect((await h.stores.halves.agenda('d:db-2').take(take)).taken).toEqual([]);
      const again = (await h.sibling()).halves.agenda('d:db-1');
      const { taken } = await again.take(take);
      expect(taken).toMatchObject([{ work: 'orders/0' }]);
      await mine.finish('orders/0', taken[0]!.version, null);
      await h.advance(1_000);
      expect((await again.take(take)).taken).toEqual([]);
    });
  });
}
