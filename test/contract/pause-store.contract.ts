import { type OpenHarness, useHarness } from './harness.js';

export function describePauseStore(open: OpenHarness): void {
  describe('PauseStore', () => {
    const h = useHarness(open);
    const billing = { topic: 'orders', group: 'billing/eu', since: 1_700_000_000_000 };
    const all = { topic: 'order.#', group: 'audit', since: 5 };

    it('keeps what is paused, for every process, until it is resumed', async () => {
      const { paused } = h.stores;
      expect(await paused.list()).toEqual([]);
      expect(await paused.pause(billing)).toBe(true);
      expect(await paused.pause(all)).toBe(true);
      const other = (await h.sibling()).paused;
      expect(await other.list()).toEqual([all, billing]);
      await h.advance(30 * 86_400_000);
      expect(await other.resume(billing)).toBe(true);
      expect(await paused.resume(billing)).toBe(false);
      expect(await paused.list()).toEqual([all]);
    });

    it('keeps the time of the first pause', async () => {
      const { paused } = h.stores;
      await paused.pause(billing);
      expect(await paused.pause({ ...billing, since: billing.since + 1 })).toBe(false);
      expect(await paused.list()).toEqual([billing]);
    });
  });
}
