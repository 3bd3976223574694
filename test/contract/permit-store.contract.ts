import type { PermitAsk } from '../../lib/core/store/permit-store.js';
import type { Stores } from '../../lib/core/store/stores.js';
import { type OpenHarness, useHarness } from './harness.js';

const OF = { topic: 'orders', group: 'billing' };
const LEASE = 30_000;
const PATIENCE = 2_000;

export function describePermitStore(open: OpenHarness): void {
  describe('PermitStore', () => {
    const h = useHarness(open);
    const take = (
      member: string,
      held: number,
      want: number,
      { key = 'acme', max = 2, of = OF, stores = h.stores as Stores } = {},
    ) => takeAll(member, [{ key, held, want }], { max, of, stores }).then(([reply]) => reply!);
    const takeAll = (
      member: string,
      asks: PermitAsk[],
      { max = 2, of = OF, stores = h.stores as Stores } = {},
    ) => stores.permits.take(of, { member, max, leaseMs: LEASE, patienceMs: PATIENCE, asks });

    it('grants as many as there are, to all processes together', async () => {
      const { permits } = await h.sibling();
      const call = { max: 2, leaseMs: LEASE, patienceMs: PATIENCE };
      expect(await take('a', 0, 1)).toEqual({ granted: 1, contested: false });
      const asks = [{ key: 'acme', held: 0, want: 5 }];
      expect(await permits.take(OF, { ...call, member: 'b', asks })).toEqual([
        { granted: 1, contested: false },
      ]);
      expect(await take('a', 1, 1)).toEqual({ granted: 1, contested: false });
    });

    it('takes each repeat for what it is, since a reply may be lost', async () => {
      for (let i = 0; i < 3; i++) expect(await take('a', 0, 1)).toMatchObject({ granted: 1 });
      for (let i = 0; i < 3; i++) expect(await take('a', 1, 1)).toMatchObject({ granted: 2 });
      for (let i = 0; i < 3; i++) expect(await take('a', 0, 0)).toMatchObject({ granted: 0 });
      expect(await take('b', 0, 2)).toMatchObject({ granted: 2 });
    });

    it('has them for others once they are given back', async () => {
      await take('a', 0, 2);
      expect(await take('b', 0, 1)).toMatchObject({ granted: 0 });
      expect(await take('a', 1, 0)).toMatchObject({ granted: 1 });
      expect(await take('b', 0, 1)).toMatchObject({ granted: 1 });
    });

    it('are held for no longer than a few leases, however far the clock was set back', async () => {
      await take('a', 0, 2);
      await take('b', 0, 1);
      h.jump(-3_600_000);
      expect(await take('c', 0, 1)).toEqual({ granted: 0, contested: true });
      await h.advance(4 * LEASE - 1);
      expect(await take('c', 0, 1)).toMatchObject({ granted: 0 });
      await h.advance(1);
      expect(await take('c', 0, 2)).toEqual({ granted: 2, contested: false });
    });

    it('lets those of a process that is gone lapse, and keeps those that are renewed', async () => {
      await take('a', 0, 1);
      await take('b', 0, 1);
      await h.advance(LEASE - 1);
      expect(await take('a', 1, 0)).toMatchObject({ granted: 1 });
      expect(await take('c', 0, 1)).toMatchObject({ granted: 0 });
      await h.advance(1);
      expect(await take('c', 0, 2)).toMatchObject({ granted: 1 });
    });

    it('tells who outlived its lease that its permits have gone to others', async () => {
      await take('a', 0, 2);
      await h.advance(LEASE);
      await take('b', 0, 1);
      expect(await take('a', 2, 0)).toMatchObject({ granted: 1 });
      expect(await take('b', 1, 1)).toMatchObject({ granted: 1 });
    });

    it('gives a free one to who has waited longest with none, and tells others that somebody waits', async () => {
      await take('a', 0, 2);
      await take('b', 0, 1);
      await h.advance(10);
      await take('c', 0, 1);
      expect(await take('a', 1, 1)).toEqual({ granted: 1, contested: true });
      // One is free now.
      expect(await take('c', 0, 1)).toEqual({ granted: 0, contested: true });
      expect(await take('b', 0, 1)).toEqual({ granted: 1, contested: true });
      expect(await take('a', 0, 1)).toEqual({ granted: 0, contested: true });
      expect(await take('c', 0, 1)).toEqual({ granted: 1, contested: true });
      expect(await take('b', 0, 0)).toEqual({ granted: 0, contested: true });
      expect(await take('a', 0, 1)).toEqual({ granted: 1, contested: false });
    });

    it('waits for nobody who has stopped asking, or wants none any more', async () => {
      await take('a', 0, 2);
      await take('b', 0, 1);
      await h.advance(PATIENCE);
      expect(await take('a', 1, 1)).toEqual({ granted: 2, contested: false });
      await take('b', 0, 1);
      await take('b', 0, 0);
      expect(await take('a', 1, 1)).toEqual({ granted: 2, contested: false });
    });

    it('answers each key of a call for itself, however many', async () => {
      await take('b', 0, 2, { key: 'k7' });
      const keys = Array.from({ length: 450 }, (_, i) => `k${i}`);
      const replies = await takeAll(
        'a',
        keys.map((key, i) => ({ key, held: 0, want: (i % 2) + 1 })),
      );
      expect(replies.map(({ granted }) => granted)).toEqual(
        keys.map((_, i) => (i === 7 ? 0 : (i % 2) + 1)),
      );
    });

    it.each([
      { of: { ...OF, topic: 'refunds' } },
      { of: { ...OF, group: 'mail' } },
      { key: 'other' },
      { key: 'any {text}: *?[] ü \u{1F389} %3A' },
    ])('does not take %j for another', async (other) => {
      await take('a', 0, 2);
      expect(await take('b', 0, 2, other)).toMatchObject({ granted: 2 });
    });
  });
}
