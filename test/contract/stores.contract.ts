import { type OpenHarness, useHarness } from './harness.js';
import { BILLING, declare, join } from './messages.js';
import { nothing } from './nothing.js';

export function describeLifecycle(open: OpenHarness): void {
  describe('Stores', () => {
    const h = useHarness(open);

    it('are ready once they are open', async () => {
      await h.stores.open(20_000);
      expect(h.stores.availability.ready).toBe(true);
    });

    it('refuse every call once they are closed; closing twice is harmless', async () => {
      const other = await h.sibling();
      await other.open(20_000);
      await other.close();
      await other.close();
      expect(other.availability.ready).toBe(false);
      await expect(other.topics.list()).rejects.toThrow();
      await expect(other.members.beat('a')).rejects.toThrow();
      expect(await h.stores.topics.list()).toEqual([]);
    });

    it('end a waiting read when they are closed', async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
      const other = await h.sibling();
      await other.open(20_000);
      const reading = nothing(h.consumer(BILLING, 'c', other).read({ blockMs: 20_000 }));
      await h.advance(5);
      await other.close();
      expect(await reading).toEqual([]);
    });
  });
}
