import { type OpenHarness, useHarness } from './harness.js';

const DAY_MS = 86_400_000;

export function describeGroupPresence(open: OpenHarness): void {
  describe('GroupPresence', () => {
    const h = useHarness(open);
    const join = async (...groups: string[]): Promise<void> => {
      await h.stores.topics.declare('orders', { queues: 1 });
      for (const group of groups)
        await h.stores.topics.joinGroup('orders', {
          ...{ group, mode: 'unordered', filterDigest: '', from: 'earliest' },
        });
    };
    const idle = async (...present: string[]): Promise<Record<string, number>> => {
      const seen = await h.stores.presence.note('orders', present);
      return Object.fromEntries(seen.map(({ group, idleMs }) => [group, idleMs]));
    };

    it('counts a group from when it was first noted, and from each time it has a member', async () => {
      await join('billing', 'audit/eu');
      expect(await idle()).toEqual({ 'audit/eu': 0, billing: 0 });
      await h.advance(DAY_MS);
      await expect((await h.sibling()).presence.note('orders', ['billing'])).resolves.toEqual([
        { group: 'audit/eu', idleMs: DAY_MS },
        { group: 'billing', idleMs: 0 },
      ]);
      await h.advance(6 * DAY_MS);
      expect(await idle()).toEqual({ 'audit/eu': 7 * DAY_MS, billing: 6 * DAY_MS });
    });

    it('knows no group that is not registered, and no topic that is not there', async () => {
      await join('billing');
      expect(await idle('nobody')).toEqual({ billing: 0 });
      expect(await h.stores.presence.note('nowhere', ['billing'])).toEqual([]);
    });

    it('forgets with the group, and with the topic', async () => {
      await join('billing', 'audit');
      await idle();
      await h.advance(DAY_MS);
      await h.stores.topics.removeGroup('orders', 'billing');
      await join('billing');
      expect(await idle()).toEqual({ audit: DAY_MS, billing: 0 });
      await h.stores.topics.remove('orders');
      expect(await idle()).toEqual({});
      await join('audit');
      expect(await idle()).toEqual({ audit: 0 });
    });

    it('counts anew from when a member joins, also one that is gone before it is noted', async () => {
      await join('billing', 'audit');
      await h.advance(DAY_MS);
      await join('billing');
      expect(await idle()).toEqual({ audit: DAY_MS, billing: 0 });
      await h.advance(DAY_MS);
      expect(await idle()).toEqual({ audit: 2 * DAY_MS, billing: DAY_MS });
    });
  });
}
