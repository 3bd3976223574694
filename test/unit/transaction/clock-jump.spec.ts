import { TestBed } from '../../../lib/testing/test-bed.js';

const HOUR_MS = 3_600_000;

// In a file of its own: ids of a process never go back, and it has one counter.
describe('the outbox of a process whose clock was ahead for a while', () => {
  it.each([10_000, 3 * HOUR_MS])(
    'is emptied by others when it died after COMMIT (%i ms ahead)',
    async (aheadMs) => {
      const settings = { transactions: { store: 'outbox' } } as const;
      const bed = await TestBed.open({ settings });
      const place = (order: string): Promise<unknown> =>
        bed.rivulet.transactions.run(() =>
          bed.publish('orders', order, { messageGroup: 'one', key: order }),
        );
      await place('before');
      await bed.advance(1_000);
      const other = await bed.sibling({ settings });
      await bed.advance(60_000);
      const now = bed.clock.now();
      bed.clock.set(now + aheadMs);
      bed.stores.goDown();
      await place('while ahead');
      bed.clock.set(now);
      await place('set back');
      bed.crash();
      await other.advance(30_000);
      const sent = await other.sent('orders');
      expect(sent.map(({ body }) => body).sort()).toEqual(['before', 'set back', 'while ahead']);
      expect(other.database.waiting).toEqual([]);
      await Promise.all([bed.close(), other.close()]);
    },
  );
});
