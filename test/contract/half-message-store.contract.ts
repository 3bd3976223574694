import { frameMessageId } from '../../lib/core/message/wire-format.js';
import {
  callOf,
  halfOf,
  MINE,
  newTransaction,
  prepare,
  prepared,
  resultsOf,
  statesOf,
} from './halves.js';
import { type OpenHarness, useHarness } from './harness.js';
import {
  BILLING,
  declare,
  entryOf,
  frameIn,
  generationOf,
  join,
  logTexts,
  numbered,
  publish,
  publishTexts,
  QUEUE,
} from './messages.js';

const DAY_MS = 24 * 3_600_000;

/** prepare, commit, rollback and publish. */
export function describeHalfMessages(open: OpenHarness): void {
  describe('HalfMessageStore', () => {
    const h = useHarness(open);
    const commit = (...ids: string[]) => h.stores.halves.commit(MINE, ids);
    const rollback = (...ids: string[]) => h.stores.halves.rollback(MINE, ids);
    beforeEach(() => declare(h.stores, { queues: 2 }));

    describe('prepare', () => {
      it('stores messages that nobody sees', async () => {
        await join(h.stores, 'billing');
        await prepared(h.stores, 'a', 'b');
        expect(await logTexts(h.stores)).toEqual([]);
        expect(await h.consumer(BILLING, 'c').read()).toEqual([]);
        expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 2, parked: 0 });
        expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ undelivered: 0 });
      });

      it('answers for each transaction, by its id', async () => {
        const [a, b] = [halfOf(['a']), halfOf(['b'])];
        expect(await prepare(h.stores, a, b, a)).toEqual([
          { id: a.id, state: 'prepared' },
          { id: b.id, state: 'prepared' },
          { id: a.id, state: 'prepared' },
        ]);
        expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 2, parked: 0 });
      });

      it('keeps of each half what it says, whatever its neighbours in the call say', async () => {
        const said = { name: 'a', checkAfterMs: 5_000 };
        const later = () => entryOf('x', { due: { delayMs: 1_000 } });
        const halves = [
          halfOf(['x'], said),
          halfOf(['x'], said),
          halfOf(['x'], { ...said, name: 'b' }),
          halfOf(['x'], { name: 'b', checkAfterMs: 60_000 }),
          halfOf(['x', 'x'], { name: 'b', checkAfterMs: 60_000 }),
          halfOf(['x'], said),
          halfOf([later()], said),
          halfOf([later()], { ...said, name: 'b' }),
          halfOf(['x'], { ...said, name: 'b' }),
          halfOf(['x'], said),
        ];
        expect(new Set(statesOf(await prepare(h.stores, ...halves)))).toEqual(
          new Set(['prepared']),
        );
        for (const { id, name, entries, checkAfterMs } of halves) {
          const kept = (await h.stores.halves.find(QUEUE, id))!;
          expect(kept).toMatchObject({ name, messages: entries.length });
          expect(kept.dues.map((due) => due !== undefined)).toEqual(
            entries.map(({ due }) => due !== undefined),
          );
          expect(kept.checkAt! - kept.preparedAt).toBe(checkAfterMs);
        }
        const results = (await commit(...halves.map(({ id }) => id))).map((reply) =>
          resultsOf(reply).map(({ state }) => state),
        );
        expect(results).toEqual(
          halves.map(({ entries }) => entries.map(({ due }) => (due ? 'scheduled' : 'stored'))),
        );
      });

      it('stores a repeated half once, also when it arrives twice at the same time', async () => {
        const half = halfOf(['a']);
        const other = await h.sibling();
        const call = await callOf(h.stores, [half]);
        const both = [h.stores, other].map((stores) => stores.halves.prepare(call));
        expect((await Promise.all(both)).flatMap(statesOf)).toEqual(['prepared', 'prepared']);
        expect(await prepare(h.stores, half)).toEqual([{ id: half.id, state: 'prepared' }]);
        await commit(half.id);
        expect(await logTexts(h.stores)).toEqual(['a']);
      });

      it('never prepares again what was decided', async () => {
        const [a, b] = [halfOf(['a']), halfOf(['b'])];
        await prepare(h.stores, a, b);
        const [committed] = await commit(a.id);
        await rollback(b.id);
        expect(await prepare(h.stores, a, b)).toEqual([
          committed,
          { id: b.id, state: 'rolled-back' },
        ]);
        expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 0 });
        expect(await logTexts(h.stores)).toEqual(['a']);
      });

      it('answers "moved" by another generation and where there is no such queue', async () => {
        const half = halfOf(['a']);
        const generation = await generationOf(h.stores, 'orders');
        const call = await callOf(h.stores, [half]);
        expect(await h.stores.halves.prepare({ ...call, generation: 9 })).toEqual([
          { id: half.id, state: 'moved', generation },
        ]);
        expect(await h.stores.halves.prepare({ ...call, queue: 7 })).toEqual([
          { id: half.id, state: 'moved', generation: 0 },
        ]);
        expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 0 });
      });

      it('is not changed by what happens to the buffers afterwards', async () => {
        const entry = entryOf('before');
        const half = halfOf([entry]);
        await prepare(h.stores, half);
        entry.frame.fill(0);
        await commit(half.id);
        expect(await logTexts(h.stores)).toEqual(['before']);
      });

      it('takes a thousand transactions in one call, and one with a thousand messages', async () => {
        const ids = await prepared(h.stores, ...numbered(1_000));
        expect(new Set(statesOf(await commit(...ids)))).toEqual(new Set(['committed']));
        const large = halfOf(numbered(1_000, 'n'));
        await prepare(h.stores, large);
        expect(resultsOf((await commit(large.id))[0])).toHaveLength(1_000);
        expect(await logTexts(h.stores)).toEqual([...numbered(1_000), ...numbered(1_000, 'n')]);
      });
    });

    describe('commit', () => {
      it('appends all messages of a transaction in order, at the end of the queue, byte for byte', async () => {
        const bytes = entryOf(Buffer.from([0, 255, 10, 13, 32, 195]));
        const half = halfOf(['a', bytes, 'c']);
        await prepare(h.stores, half);
        const before = await publishTexts(h.stores, ['between']);
        const results = resultsOf((await commit(half.id))[0]);
        const stored = await h.stores.log.range({ ...QUEUE, from: '-', to: '+', count: 9 });
        const [first, ...offsets] = stored.map(({ offset }) => offset);
        expect([first]).toEqual(before);
        expect(results).toEqual(offsets.map((offset) => ({ state: 'stored', offset })));
        expect(frameIn(stored[2]!.content)).toEqual(bytes.frame);
      });

      it('wakes a waiting reader', async () => {
        await join(h.stores, 'billing');
        const [id] = await prepared(h.stores, 'a');
        const reading = h.consumer(BILLING, 'c').read({ blockMs: 20_000 });
        await commit(id!);
        expect(await reading).toHaveLength(1);
      });

      it('appends in the order of the call, whatever the order of the halves', async () => {
        const halves = ['a', entryOf('b', { dedupId: 'x' }), 'c'].map((entry) => halfOf([entry]));
        await prepare(h.stores, ...halves);
        await commit(...halves.map(({ id }) => id).reverse());
        expect(await logTexts(h.stores)).toEqual(['c', 'b', 'a']);
      });

      it('answers a repeat with the first answer and appends nothing', async () => {
        const half = halfOf(['a', entryOf('later', { due: { delayMs: 9_000 } })]);
        await prepare(h.stores, half);
        const first = await commit(half.id);
        await h.advance(DAY_MS - 1);
        expect(await commit(half.id, half.id)).toEqual([...first, ...first]);
        expect(await logTexts(h.stores)).toEqual(['a']);
        expect(await h.stores.schedule.count(QUEUE)).toBe(1);
      });

      it('appends once when it arrives twice at the same time, and once within a call', async () => {
        const [a, b] = await prepared(h.stores, 'a', 'b');
        const other = await h.sibling();
        const replies = await Promise.all([commit(a!), other.halves.commit(MINE, [a!])]);
        expect(replies[0]).toEqual(replies[1]);
        const [first, second] = await commit(b!, b!);
        expect(first).toEqual(second);
        expect(await logTexts(h.stores)).toEqual(['a', 'b']);
      });

      it('changes nothing after a rollback, and for what was never prepared', async () => {
        const [id] = await prepared(h.stores, 'a');
        await rollback(id!);
        const unknown = newTransaction();
        expect(await commit(id!, unknown)).toEqual([
          { id, state: 'rolled-back' },
          { id: unknown, state: 'unknown' },
        ]);
        expect(await h.stores.halves.commit({ ...MINE, queue: 1 }, [id!])).toEqual([
          { id, state: 'unknown' },
        ]);
        expect(await logTexts(h.stores)).toEqual([]);
      });

      it('schedules what is due later, counted from the commit', async () => {
        const later = entryOf('later', { due: { delayMs: 1_000 } });
        const passed = entryOf('passed', { due: { at: h.now() + 10 } });
        const half = halfOf([later, passed]);
        await prepare(h.stores, half);
        await h.advance(60_000);
        const results = resultsOf((await commit(half.id))[0]);
        expect(results).toEqual([
          { state: 'scheduled', dueAt: h.now() + 1_000 },
          { state: 'stored', offset: expect.any(String) },
        ]);
        expect(await h.stores.schedule.find(QUEUE, frameMessageId(later.frame))).toBeDefined();
        await h.advance(1_000);
        await h.stores.schedule.releaseDue(QUEUE, 10);
        expect(await logTexts(h.stores)).toEqual(['passed', 'later']);
      });

      it('leaves out what became a duplicate meanwhile, and makes later ones duplicates', async () => {
        const of = (body: string, dedupId: string) => entryOf(body, { dedupId });
        const early = halfOf([of('early', 'x'), of('mine', '-'), 'plain', of('again', '-')]);
        await prepare(h.stores, early);
        const direct = of('direct', 'x');
        const [stored] = await publish(h.stores, [direct]);
        const results = resultsOf((await commit(early.id))[0]);
        const messageId = frameMessageId(direct.frame);
        expect(statesOf(results)).toEqual(['duplicate', 'stored', 'stored', 'duplicate']);
        expect(results[0]).toEqual({ ...stored, state: 'duplicate', messageId });
        expect(await publish(h.stores, [of('late', '-')])).toMatchObject([{ state: 'duplicate' }]);
        expect(await logTexts(h.stores)).toEqual(['direct', 'mine', 'plain']);
      });

      it('keeps no dedup id for a transaction that was rolled back', async () => {
        const [first, second] = ['first', 'second'].map((body) =>
          halfOf([entryOf(body, { dedupId: 'pay-17' })]),
        );
        await prepare(h.stores, first!, second!);
        await rollback(first!.id);
        await commit(second!.id);
        expect(await logTexts(h.stores)).toEqual(['second']);
      });

      it('is refused by no limit: the room was taken by the half', async () => {
        await h.stores.topics.alter('orders', { maxLength: 3 });
        const [pair, late] = [halfOf(['a', 'b']), halfOf(['c', 'd'])];
        expect(statesOf(await prepare(h.stores, pair, late))).toEqual(['prepared', 'full']);
        await expect(publish(h.stores, ['e', 'f'])).rejects.toThrow('got "full"');
        expect(statesOf(await publish(h.stores, ['e']))).toEqual(['stored']);
        expect(statesOf(await commit(pair.id, late.id))).toEqual(['committed', 'unknown']);
        expect(await logTexts(h.stores)).toEqual(['e', 'a', 'b']);
      });

      it('says how much room there is, and what its topic says about that', async () => {
        await h.stores.topics.alter('orders', { maxLength: 3, whenFull: 'drop-oldest' });
        const [pair, late] = [halfOf(['a', 'b']), halfOf(['c', 'd'])];
        const full = { state: 'full', room: 1, whenFull: 'drop-oldest' };
        expect((await prepare(h.stores, pair, late))[1]).toEqual({ id: late.id, ...full });
        await h.stores.topics.alter('orders', { maxLength: 1, whenFull: 'wait' });
        const none = { state: 'full', room: 0, whenFull: 'wait' };
        expect(await prepare(h.stores, late)).toEqual([{ id: late.id, ...none }]);
      });

      it('gives the room back that a rollback frees', async () => {
        await h.stores.topics.alter('orders', { maxLength: 2 });
        const [a, b] = [halfOf(['a', 'b']), halfOf(['c', 'd'])];
        expect(statesOf(await prepare(h.stores, a, b))).toEqual(['prepared', 'full']);
        await rollback(a.id, a.id);
        expect(statesOf(await prepare(h.stores, b))).toEqual(['prepared']);
        await commit(b.id);
        await expect(publish(h.stores, ['e'])).rejects.toThrow('got "full"');
      });

      it('is committed also when somebody else than its owner does it', async () => {
        const [id] = await prepared(h.stores, 'a');
        const replies = await h.stores.halves.commit({ ...QUEUE, owner: 'm:other' }, [id!]);
        expect(statesOf(replies)).toEqual(['committed']);
        await h.advance(60_000);
        const claim = { limit: 10, leaseMs: 1_000, frames: false };
        expect(await h.stores.halves.claimDue(MINE, claim)).toMatchObject({ halves: [] });
        expect(await h.stores.halves.claimDue(MINE, claim)).toMatchObject({ waiting: 0 });
      });
    });

    describe('rollback', () => {
      it('drops the messages for good, and may be repeated', async () => {
        const [a, b] = await prepared(h.stores, 'a', 'b');
        expect(await rollback(a!, a!)).toEqual([
          { id: a, state: 'rolled-back' },
          { id: a, state: 'rolled-back' },
        ]);
        expect(statesOf(await rollback(a!))).toEqual(['rolled-back']);
        await commit(b!);
        expect(await logTexts(h.stores)).toEqual(['b']);
        expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 0 });
      });

      it('changes nothing after a commit', async () => {
        const [id] = await prepared(h.stores, 'a');
        const committed = await commit(id!);
        expect(await rollback(id!)).toEqual(committed);
        expect(await logTexts(h.stores)).toEqual(['a']);
      });

      it('refuses a half that arrives later', async () => {
        const half = halfOf(['a']);
        expect(statesOf(await rollback(half.id))).toEqual(['rolled-back']);
        expect(statesOf(await prepare(h.stores, half))).toEqual(['rolled-back']);
        expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 0 });
      });
    });

    describe('publish', () => {
      const publishHalf = async (...halves: ReturnType<typeof halfOf>[]) =>
        h.stores.halves.publish(await callOf(h.stores, halves));

      it('appends messages that were never prepared, once', async () => {
        const half = halfOf(['a', entryOf('later', { due: { delayMs: 5 } }), 'b']);
        const first = await publishHalf(half);
        expect(resultsOf(first[0])).toHaveLength(3);
        expect(await publishHalf(half, half)).toEqual([...first, ...first]);
        expect(await logTexts(h.stores)).toEqual(['a', 'b']);
        expect(await h.stores.schedule.count(QUEUE)).toBe(1);
      });

      it.each([
        ['publish, then commit', ['publish', 'commit']],
        ['commit, then publish', ['commit', 'publish']],
        ['all of them twice', ['commit', 'publish', 'publish', 'commit']],
      ])('appends once with a half that is here: %s', async (_, moves) => {
        const half = halfOf(['a', 'b']);
        await prepare(h.stores, half);
        const replies = [];
        for (const move of moves)
          replies.push(...(await (move === 'commit' ? commit(half.id) : publishHalf(half))));
        expect(new Set(replies.map((reply) => JSON.stringify(reply))).size).toBe(1);
        expect(await logTexts(h.stores)).toEqual(['a', 'b']);
        expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 0 });
      });

      it('refuses a half that arrives after it', async () => {
        const half = halfOf(['a']);
        await publishHalf(half);
        expect(statesOf(await prepare(h.stores, half))).toEqual(['committed']);
        expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 0 });
      });

      it('appends nothing of a transaction that was rolled back', async () => {
        const half = halfOf(['a']);
        await rollback(half.id);
        expect(await publishHalf(half)).toEqual([{ id: half.id, state: 'rolled-back' }]);
        expect(await logTexts(h.stores)).toEqual([]);
      });

      it('answers "moved" when the topic changed, unless the half is here or was published', async () => {
        const [here, done, nowhere] = [halfOf(['a']), halfOf(['b']), halfOf(['c'])];
        await prepare(h.stores, here);
        await publishHalf(done);
        const generation = await generationOf(h.stores, 'orders');
        const call = { ...(await callOf(h.stores, [here, done, nowhere])), generation: 9 };
        expect(await h.stores.halves.publish(call)).toEqual([
          { id: here.id, state: 'committed', results: expect.any(Array) },
          { id: done.id, state: 'committed', results: expect.any(Array) },
          { id: nowhere.id, state: 'moved', generation },
        ]);
        expect(await logTexts(h.stores)).toEqual(['b', 'a']);
      });

      it('waits for room, all messages of a transaction together', async () => {
        await h.stores.topics.alter('orders', { maxLength: 2 });
        await publishTexts(h.stores, ['first']);
        const [pair, single] = [halfOf(['a', 'b']), halfOf(['c'])];
        expect(await publishHalf(pair, single)).toMatchObject([
          { id: pair.id, state: 'full', room: 1, whenFull: 'reject' },
          { state: 'committed' },
        ]);
        await h.stores.topics.alter('orders', { maxLength: null });
        expect(statesOf(await publishHalf(pair))).toEqual(['committed']);
        expect(await logTexts(h.stores)).toEqual(['first', 'c', 'a', 'b']);
      });

      it('remembers what became of it for as long as somebody asks, and a day more', async () => {
        const [half, forgotten] = [halfOf(['a']), halfOf(['b'])];
        const first = await publishHalf(half);
        for (let day = 0; day < 3; day++) {
          await h.advance(DAY_MS - 1);
          expect(await publishHalf(half)).toEqual(first);
          await publishHalf(forgotten);
        }
        expect(await logTexts(h.stores)).toEqual(['a', 'b']);
      });

      it('dedups as a send does', async () => {
        const entry = entryOf('a', { dedupId: 'x y,z' });
        expect(resultsOf((await publishHalf(halfOf([entry])))[0])).toMatchObject([
          { state: 'stored' },
        ]);
        const again = await publishHalf(halfOf([entryOf('b', { dedupId: 'x y,z' })]));
        expect(resultsOf(again[0])).toMatchObject([
          { state: 'duplicate', messageId: frameMessageId(entry.frame) },
        ]);
      });
    });

    describe('placeOnce', () => {
      const place = (id: string, generation: number, queues: number, topic = 'orders') =>
        h.stores.halves.placeOnce(topic, id, { generation, queues });

      it('answers with the first word about messages, whoever asks, and whatever becomes of the topic', async () => {
        const [one, other] = [newTransaction(), newTransaction()];
        expect(await place(one, 3, 4)).toEqual({ generation: 3, queues: 4, isNew: true });
        const said = { generation: 3, queues: 4, isNew: false };
        expect(await place(one, 9, 16)).toEqual(said);
        await h.stores.topics.remove('orders');
        const sibling = await h.sibling();
        expect(await sibling.halves.placeOnce('orders', one, { generation: 1, queues: 1 })).toEqual(
          said,
        );
        expect(await place(other, 9, 16)).toMatchObject({ generation: 9, isNew: true });
        expect(await place(one, 9, 16, 'bills')).toMatchObject({ generation: 9, isNew: true });
      });

      it('says it once when two ask at the same time', async () => {
        const id = newTransaction();
        const other = await h.sibling();
        const [a, b] = await Promise.all([
          place(id, 3, 4),
          other.halves.placeOnce('orders', id, { generation: 9, queues: 16 }),
        ]);
        expect([a.isNew, b.isNew].sort()).toEqual([false, true]);
        expect(a.generation).toBe(b.generation);
      });
    });

    it('goes with the topic, but for what became of it', async () => {
      const [id, done] = await prepared(h.stores, 'a', 'b');
      const committed = await commit(done!);
      await h.stores.topics.remove('orders');
      expect(await commit(done!)).toEqual(committed);
      await declare(h.stores, { queues: 2 });
      expect(await commit(id!)).toEqual([{ id, state: 'unknown' }]);
      expect(await commit(done!)).toEqual(committed);
      expect(await logTexts(h.stores)).toEqual([]);
      expect(await h.stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 0 });
      const claim = { limit: 10, leaseMs: 1_000, frames: false };
      await h.advance(60_000);
      expect(await h.stores.halves.claimDue(MINE, claim)).toMatchObject({ halves: [], waiting: 0 });
    });

    it('survives trimming: retention counts from the commit', async () => {
      const [id] = await prepared(h.stores, 'a');
      await h.advance(2 * DAY_MS);
      await h.stores.log.trim(QUEUE, 100);
      await commit(id!);
      await h.stores.log.trim(QUEUE, 100);
      expect(await logTexts(h.stores)).toEqual(['a']);
    });
  });
}
