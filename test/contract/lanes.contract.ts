import { type OpenHarness, useHarness } from './harness.js';
import { BILLING, declare, join, numbered, publishTexts } from './messages.js';
import { LEASE_MS, TestOwner } from './test-owner.js';

export function describeLanes(open: OpenHarness): void {
  describe('QueueLeaseStore.step', () => {
    const h = useHarness(open);
    const owner = (name: string): TestOwner => new TestOwner(h.stores, BILLING, name);
    let a: TestOwner;
    let offsets: string[];
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
      offsets = await publishTexts(h.stores, numbered(6));
      a = owner('a');
      await a.own();
      await a.readOffsets();
    });
    /** Somebody else takes the queue from an owner that fell silent. */
    const takeOver = async (name: string) => {
      await h.advance(LEASE_MS);
      const next = owner(name);
      return { next, ...(await next.own()) };
    };

    it('settles and starts the next one of a lane in one call, lanes side by side', async () => {
      const [x1, x2, y1] = offsets as [string, string, string];
      expect(
        await a.step(
          { kind: 'begin', lane: '=x', offset: x1, alone: false },
          { kind: 'begin', lane: '=y', offset: y1, alone: false },
        ),
      ).toMatchObject({ state: 'done' });
      expect(
        await a.step(
          { kind: 'ack', lane: '=x', offset: x1 },
          { kind: 'begin', lane: '=x', offset: x2, alone: false },
          { kind: 'dead-letter', lane: '=y', offset: y1, note: 'n' },
        ),
      ).toMatchObject({ state: 'done' });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({
        inFlight: 4,
        deadLetters: 1,
      });
      expect(await h.stores.deadLetters.list(BILLING, { count: 9 })).toMatchObject([
        { offset: y1, note: 'n', content: { kind: 'message' } },
      ]);
    });

    it('tells what stands at some offsets, in the order they were asked for, whoever owns the queue', async () => {
      const { entries } = await a.load();
      const [first, second, third] = offsets as [string, string, string];
      const asked = [third, first, '1-1', second];
      const found = await h.stores.leases.contents(BILLING, asked);
      expect(found.map(({ offset }) => offset)).toEqual(asked);
      const contentAt = (offset: string) =>
        entries.find((entry) => entry.offset === offset)?.content ?? { kind: 'gone' };
      expect(found.map(({ content }) => content)).toEqual(asked.map(contentAt));
      expect(await h.stores.leases.contents(BILLING, [])).toEqual([]);
    });

    it('refuses a second head of a lane, and every step beside it', async () => {
      const [x1, x2, y1] = offsets as [string, string, string];
      await a.begin('=x', x1);
      const refused = { state: 'refused', why: 'order' };
      expect(await a.begin('=x', x2)).toMatchObject({ ...refused, index: 0 });
      expect(await a.ack('=x', x2)).toMatchObject(refused);
      expect(
        await a.step(
          { kind: 'ack', lane: '=y', offset: y1 },
          { kind: 'begin', lane: '=x', offset: x2, alone: false },
        ),
      ).toMatchObject({ ...refused, index: 1 });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 6 });
      expect(await a.ack('=x', x1)).toMatchObject({ state: 'done' });
      expect(await a.begin('=x', x2)).toMatchObject({ state: 'done' });
    });

    it('refuses to start what is not in hand', async () => {
      await a.ack('=x', offsets[0]!);
      const gone = { state: 'refused', why: 'gone' };
      expect(await a.begin('=x', offsets[0]!)).toMatchObject(gone);
      expect(await a.begin('=x', '1-1')).toMatchObject(gone);
      const lost = { kind: 'dead-letter', lane: '=x', offset: offsets[0]!, note: '' } as const;
      expect(await a.step(lost)).toMatchObject(gone);
      expect(await h.stores.deadLetters.count(BILLING)).toBe(0);
    });

    it('refuses to start several when one of them is not in hand, in whatever order they are asked for', async () => {
      const begin = (lane: string, at: number) =>
        ({ kind: 'begin', lane, offset: offsets[at]!, alone: false }) as const;
      await a.ack('=w', offsets[2]!);
      for (const order of [
        [1, 2, 3],
        [3, 2, 1],
        [2, 3, 1],
        [1, 3, 2],
      ] as const) {
        const steps = order.map((at) => begin(`=${at}`, at));
        const index = order.indexOf(2);
        expect(await a.step(...steps)).toMatchObject({ state: 'refused', why: 'gone', index });
      }
      const all = [5, 1, 4, 3].map((at) => begin(`=${at}`, at));
      expect(await a.step(...all)).toMatchObject({ state: 'done' });
    });

    it('lets the head of a lane wait, keeps its history, and counts its attempts', async () => {
      await a.begin('=x', offsets[0]!);
      await a.retry('=x', offsets[0]!, 1_000);
      expect(await a.begin('=x', offsets[1]!)).toMatchObject({ state: 'refused', why: 'order' });
      await a.release();
      const b = owner('b');
      const waiting = { lane: '=x', offset: offsets[0], open: false, suspect: false, history: 'h' };
      expect((await b.own()).records).toEqual([{ ...waiting, attempt: 2, leftMs: 1_000 }]);
      await h.advance(400);
      expect((await b.own()).records).toEqual([{ ...waiting, attempt: 2, leftMs: 600 }]);
      await b.begin('=x', offsets[0]!);
      await b.retry('=x', offsets[0]!, 0, false);
      expect((await b.own()).records).toEqual([{ ...waiting, attempt: 2, leftMs: 0 }]);
    });

    it('does not count a start that its own owner begins again', async () => {
      await a.begin('=x', offsets[0]!);
      expect((await a.own()).records).toMatchObject([{ attempt: 1, open: true, suspect: false }]);
      await a.begin('=x', offsets[0]!);
      expect((await a.own()).records).toMatchObject([{ attempt: 1, open: true, suspect: false }]);
    });

    it('makes suspects of what a dead owner had started, at no cost in attempts', async () => {
      await a.step(
        { kind: 'begin', lane: '=x', offset: offsets[0]!, alone: false },
        { kind: 'begin', lane: '=y', offset: offsets[1]!, alone: false },
      );
      const { records, entries } = await takeOver('b');
      expect(entries).toHaveLength(6);
      expect(records).toHaveLength(2);
      for (const record of records)
        expect(record).toMatchObject({ attempt: 1, open: false, suspect: true, leftMs: 0 });
    });

    it('counts a start that ran alone, every time its owner dies', async () => {
      await a.begin('=x', offsets[0]!);
      for (const attempt of [1, 2, 3]) {
        const { next, records } = await takeOver(`owner ${attempt}`);
        expect(records).toMatchObject([{ attempt, suspect: true }]);
        await next.begin('=x', offsets[0]!, true);
      }
    });

    it('suspects no longer what came to an end', async () => {
      await a.begin('=x', offsets[0]!);
      const { next } = await takeOver('b');
      await next.begin('=x', offsets[0]!, true);
      await next.retry('=x', offsets[0]!, 0);
      expect((await next.own()).records).toMatchObject([{ attempt: 2, suspect: false }]);
      await next.ack('=x', offsets[0]!);
      expect((await next.own()).records).toEqual([]);
    });

    it('changes nothing when asked by an owner of another version', async () => {
      const stale = a.proof;
      await a.begin('=x', offsets[0]!);
      const before = await h.stores.leases.step(BILLING, stale, [
        { kind: 'ack', lane: '=x', offset: offsets[0]! },
      ]);
      expect(before).toEqual({ state: 'gap' });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 6 });
    });

    it('refuses to start what stands behind what its lane holds, whatever is asked for with it', async () => {
      const [x1, y1, x2, z1] = offsets as [string, string, string, string];
      const begin = (lane: string, offset: string) =>
        ({ kind: 'begin', lane, offset, alone: false }) as const;
      const refused = (index: number) => ({ state: 'refused', index, why: 'order' });
      await a.hold('=x', x1);
      expect(await a.step(begin('=y', y1), begin('=x', x2))).toEqual(refused(1));
      expect(await a.step(begin('=x', x2), begin('=z', z1))).toEqual(refused(0));
      await a.park('=y', y1);
      expect(await a.begin('=y', z1)).toEqual(refused(0));
    });

    it('settles some thousand heads in one call', async () => {
      const many = await publishTexts(h.stores, numbered(1_500));
      expect([...(await a.readOffsets(1_000)), ...(await a.readOffsets(500))]).toEqual(many);
      const begins = many.map((offset) => ({ lane: `#${offset}`, offset, alone: false }));
      await a.step(...begins.map((begin) => ({ kind: 'begin' as const, ...begin })));
      expect((await a.own()).records).toHaveLength(1_500);
      await a.step(...begins.map(({ lane, offset }) => ({ kind: 'ack' as const, lane, offset })));
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ inFlight: 6 });
      expect((await a.own()).records).toEqual([]);
    });
  });
}
