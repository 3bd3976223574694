import { type OpenHarness, useHarness } from './harness.js';

export function describeMembership(open: OpenHarness): void {
  describe('Membership', () => {
    const h = useHarness(open);

    it('shows a member its own beat and the time', async () => {
      expect(await h.stores.members.beat('a')).toEqual({
        now: h.now(),
        members: [{ member: 'a', beatAt: h.now() }],
      });
    });

    it('shows everybody, including members that fell silent', async () => {
      const start = h.now();
      await h.stores.members.beat('a');
      await h.advance(3_600_000);
      const { now, members } = await (await h.sibling()).members.beat('b');
      expect(now).toBe(start + 3_600_000);
      expect(members.sort((x, y) => x.beatAt - y.beatAt)).toEqual([
        { member: 'a', beatAt: start },
        { member: 'b', beatAt: now },
      ]);
    });

    it('shows the last beat of each', async () => {
      for (let beat = 0; beat < 3; beat++) {
        await h.stores.members.beat('a');
        await h.advance(1_000);
      }
      const { members } = await h.stores.members.beat('b');
      expect(members.find(({ member }) => member === 'a')?.beatAt).toBe(h.now() - 1_000);
    });

    it('tells the last beats of those that are asked for, and are members', async () => {
      const first = h.now();
      await h.stores.members.beat('a');
      await h.stores.members.beat('b');
      await h.stores.members.leave('b');
      await h.advance(1_000);
      await h.stores.members.beat('c');
      expect(await h.stores.members.lastBeats(['c', 'b', 'stranger', 'a'])).toEqual([
        { member: 'c', beatAt: h.now() },
        { member: 'a', beatAt: first },
      ]);
      expect(await h.stores.members.lastBeats([])).toEqual([]);
    });

    it('shows no member that left; leaving twice is harmless', async () => {
      await h.stores.members.beat('a');
      await h.stores.members.beat('b');
      await h.stores.members.leave('a');
      await h.stores.members.leave('a');
      await h.stores.members.leave('stranger');
      const { members } = await h.stores.members.beat('b');
      expect(members.map(({ member }) => member)).toEqual(['b']);
    });

    it('shows a member again that beats after it left', async () => {
      await h.stores.members.beat('a');
      await h.stores.members.leave('a');
      const { members } = await h.stores.members.beat('a');
      expect(members).toHaveLength(1);
    });
  });
}
