import { type OpenHarness, useHarness } from './harness.js';

export function describeAgenda(open: OpenHarness): void {
  describe('Agenda', () => {
    const h = useHarness(open);
    const take = (limit = 100, leaseMs = 1_000) => h.stores.agenda.take({ limit, leaseMs });
    const takenWork = async () => (await take()).taken.map(({ work }) => work);

    it('is empty at first', async () => {
      expect(await take()).toEqual({ now: h.now(), taken: [], nextAt: null });
    });

    it('gives out work when it is due, and says when the next is', async () => {
      await h.stores.agenda.note('b', h.now() + 2_000);
      await h.stores.agenda.note('a', h.now() + 1_000);
      expect(await take()).toEqual({ now: h.now(), taken: [], nextAt: h.now() + 1_000 });
      await h.advance(1_000);
      expect(await take()).toMatchObject({ taken: [{ work: 'a' }], nextAt: h.now() + 1_000 });
    });

    it('gives out what is due for the longest first, at most `limit`', async () => {
      for (const [work, at] of [
        ['c', 3],
        ['a', 1],
        ['b', 2],
      ] as const)
        await h.stores.agenda.note(work, h.now() + at);
      await h.advance(10);
      const { taken, nextAt, now } = await take(2);
      expect(taken.map(({ work }) => work)).toEqual(['a', 'b']);
      expect(nextAt).toBeLessThanOrEqual(now);
      expect(await takenWork()).toEqual(['c']);
    });

    it('keeps the earliest of several notes of one work', async () => {
      await h.stores.agenda.note('a', h.now() + 1_000);
      await h.stores.agenda.note('a', h.now() + 5_000);
      await h.stores.agenda.note('a', h.now() + 3_000);
      expect(await take()).toMatchObject({ nextAt: h.now() + 1_000 });
      await h.advance(1_000);
      expect(await takenWork()).toEqual(['a']);
    });

    it('hides taken work from others while the lease lasts, and brings it back if the taker dies', async () => {
      await h.stores.agenda.note('a', h.now());
      const other = await h.sibling();
      expect((await take(10, 1_000)).taken).toHaveLength(1);
      await h.advance(999);
      expect((await other.agenda.take({ limit: 10, leaseMs: 1_000 })).taken).toEqual([]);
      await h.advance(1);
      expect((await other.agenda.take({ limit: 10, leaseMs: 1_000 })).taken).toMatchObject([
        { work: 'a' },
      ]);
    });

    it('lists everything that is noted, also what is taken', async () => {
      expect(await h.stores.agenda.list()).toEqual([]);
      await h.stores.agenda.note('a', h.now());
      await h.stores.agenda.note('b', h.now() + 60_000);
      await take();
      expect((await h.stores.agenda.list()).sort()).toEqual(['a', 'b']);
    });

    it('gives each work to one of several takers', async () => {
      const works = Array.from({ length: 30 }, (_, i) => `work ${i}`);
      for (const work of works) await h.stores.agenda.note(work, h.now());
      const other = await h.sibling();
      const takes = await Promise.all(
        [h.stores, other, h.stores, other].map((stores) =>
          stores.agenda.take({ limit: 10, leaseMs: 1_000 }),
        ),
      );
      expect(takes.flatMap(({ taken }) => taken.map(({ work }) => work)).sort()).toEqual(
        [...works].sort(),
      );
    });

    it('forgets work that is done, or comes back to it at the time it is told', async () => {
      await h.stores.agenda.note('done', h.now());
      await h.stores.agenda.note('goes on', h.now());
      const { taken } = await take();
      const version = (work: string) => taken.find((entry) => entry.work === work)!.version;
      await h.stores.agenda.finish('done', version('done'), null);
      await h.stores.agenda.finish('goes on', version('goes on'), h.now() + 60_000);
      expect(await take()).toEqual({ now: h.now(), taken: [], nextAt: h.now() + 60_000 });
      await h.advance(60_000);
      expect(await takenWork()).toEqual(['goes on']);
    });

    it.each([null, 60_000])(
      'does not sleep over work noted since it was taken (next in %s ms)',
      async (nextIn) => {
        await h.stores.agenda.note('a', h.now());
        const { taken } = await take(10, 30_000);
        await h.stores.agenda.note('a', h.now() + 500);
        await h.stores.agenda.finish(
          'a',
          taken[0]!.version,
          nextIn === null ? null : h.now() + nextIn,
        );
        const again = await take(10, 30_000);
        expect(again.taken.map(({ work }) => work)).toEqual(['a']);
        await h.stores.agenda.finish('a', again.taken[0]!.version, null);
        expect(await take()).toMatchObject({ taken: [], nextAt: null });
      },
    );

    it('does not take work noted anew for the work that was finished', async () => {
      await h.stores.agenda.note('a', h.now());
      const { taken } = await take();
      await h.stores.agenda.finish('a', taken[0]!.version, null);
      await h.stores.agenda.note('a', h.now());
      // The first taker repeats its finish, since it never saw the reply.
      await h.stores.agenda.finish('a', taken[0]!.version, null);
      expect(await takenWork()).toEqual(['a']);
    });

    it('takes any text for work', async () => {
      const work = 'release orders/0 ü "quoted" \n{tag}';
      await h.stores.agenda.note(work, h.now());
      expect(await takenWork()).toEqual([work]);
    });
  });
}
