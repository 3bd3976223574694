import { type OpenHarness, useHarness } from './harness.js';

export function describeRateLimitStore(open: OpenHarness): void {
  describe('RateLimitStore', () => {
    const h = useHarness(open);
    const of = { topic: 'orders', group: 'billing' };
    const limit = { max: 10, perMs: 1_000_000 };

    it('grants a full bucket to all processes together, and says how long the next one takes', async () => {
      const { rates } = h.stores;
      const other = (await h.sibling()).rates;
      expect(await rates.take(of, { want: 4, limit })).toEqual({ granted: 4, left: 6, waitMs: 0 });
      expect(await other.take(of, { want: 8, limit })).toMatchObject({ granted: 6, left: 0 });
      const { granted, waitMs } = await rates.take(of, { want: 1, limit });
      expect(granted).toBe(0);
      expect(waitMs).toBeGreaterThan(90_000);
      expect(waitMs).toBeLessThanOrEqual(100_000);
      await h.advance(waitMs);
      expect(await rates.take(of, { want: 5, limit })).toMatchObject({ granted: 1, left: 0 });
    });

    it('fills with the time, and no higher than full', async () => {
      const { rates } = h.stores;
      await rates.take(of, { want: 10, limit });
      await h.advance(350_000);
      expect(await rates.take(of, { want: 10, limit })).toMatchObject({ granted: 3 });
      await h.advance(50_000_000);
      expect(await rates.take(of, { want: 20, limit })).toMatchObject({ granted: 10, left: 0 });
    });

    it('goes on filling, and from what there was, when the clock was set back', async () => {
      const { rates } = h.stores;
      h.jump(3_600_000);
      await rates.take(of, { want: 10, limit });
      h.jump(-3_600_000);
      expect(await rates.take(of, { want: 10, limit })).toMatchObject({ granted: 0 });
      await h.advance(300_000);
      expect(await rates.take(of, { want: 10, limit })).toMatchObject({ granted: 3 });
    });

    it('keeps a bucket for each topic and group', async () => {
      const { rates } = h.stores;
      await rates.take(of, { want: 10, limit });
      for (const another of [
        { topic: 'orders', group: 'mail' },
        { topic: 'order.*', group: 'billing' },
      ])
        expect(await rates.take(another, { want: 10, limit })).toMatchObject({ granted: 10 });
    });
  });
}
