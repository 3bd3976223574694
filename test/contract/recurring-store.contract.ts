import { type OpenHarness, useHarness } from './harness.js';

export function describeRecurringStore(open: OpenHarness): void {
  describe('RecurringStore', () => {
    const h = useHarness(open);
    const daily = { name: 'daily', definition: '{"a": "b c"}', nextAt: 1_700_000_000_000 };
    const nightly = { name: 'a/b', definition: 'x', nextAt: 5 };

    it('keeps what was put, for every process, by name', async () => {
      const { recurring } = h.stores;
      expect(await recurring.list()).toEqual([]);
      expect(await recurring.find('daily')).toBeUndefined();
      await recurring.put(daily);
      await recurring.put(nightly);
      const other = (await h.sibling()).recurring;
      expect(await other.list()).toEqual([nightly, daily]);
      expect(await other.find('daily')).toEqual(daily);
      await other.put({ ...daily, definition: 'new' });
      expect(await recurring.find('daily')).toEqual({ ...daily, definition: 'new' });
    });

    it('lets one of several set the next time', async () => {
      const { recurring } = h.stores;
      await recurring.put(daily);
      const times = { from: daily.nextAt, to: daily.nextAt + 60_000 };
      const other = (await h.sibling()).recurring;
      const answers = await Promise.all(
        [recurring, other, recurring].map((store) => store.advance('daily', times)),
      );
      expect(answers.filter((isMine) => isMine)).toHaveLength(1);
      expect(await recurring.find('daily')).toEqual({ ...daily, nextAt: times.to });
      expect(await recurring.advance('nobody', times)).toBe(false);
    });

    it('forgets what was removed', async () => {
      const { recurring } = h.stores;
      await recurring.put(daily);
      expect(await recurring.remove('daily')).toBe(true);
      expect(await recurring.remove('daily')).toBe(false);
      expect(await recurring.list()).toEqual([]);
      expect(await recurring.advance('daily', { from: daily.nextAt, to: 1 })).toBe(false);
    });
  });
}
