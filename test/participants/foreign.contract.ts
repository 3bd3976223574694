import { ManualClock } from '../../lib/testing/manual-clock.js';
import { TestBed } from '../../lib/testing/test-bed.js';
import type { Abilities } from './harness.js';
import type { Subject } from './subject.js';

/** Of clients that can tell whether the application began a transaction by itself. */
export function describeForeign(s: Subject, can: Abilities): void {
  describe('a transaction that somebody else began', () => {
    const seen = (): string | undefined => s.local.foreign!();

    it('is noticed by the code that runs in it, and by no other', async () => {
      let alongside: string | undefined = 'not asked';
      const within = await s.h.foreign!(s.local, async () => {
        await s.h.orders();
        return [seen(), await s.local.run(async () => seen()).then(() => seen())];
      });
      expect(within).toEqual([expect.stringContaining('withMessaging'), expect.any(String)]);
      await Promise.all([
        s.h.foreign!(s.local, () => s.h.orders()),
        s.h.orders().then(() => (alongside = seen())),
      ]);
      expect([alongside, seen()]).toEqual([undefined, undefined]);
    });

    it('is over for the code that outlives it, also after a rollback', async () => {
      let release = (): void => undefined;
      const ended = new Promise<void>((resolve) => (release = resolve));
      let left: Promise<string | undefined> | undefined;
      const failure = new Error('no stock');
      const placed = s.h.foreign!(s.local, async () => {
        left = ended.then(seen);
        throw failure;
      });
      await expect(placed).rejects.toBe(failure);
      release();
      expect(await left).toBeUndefined();
    });

    it('is none when it is one of ours', async () => {
      const { placed } = s.place('a', {
        beforeMark: async () => expect(seen()).toBeUndefined(),
      });
      await placed;
      await s.local.decide([]);
      expect(seen()).toBeUndefined();
    });

    const publishing = async <R>(work: (bed: TestBed) => Promise<R>): Promise<R> => {
      const clock = new ManualClock(Date.now()); // the database has a say about how long a transaction takes
      const settings = { transactions: { participants: [s.local] } };
      const bed = await TestBed.open({ clock, settings });
      try {
        return await work(bed);
      } finally {
        await bed.close();
      }
    };

    it('does not keep one of ours from sending that begins in it', () =>
      publishing(async (bed) => {
        await s.h.foreign!(s.local, () =>
          bed.rivulet.transactions.run(() => bed.publish('orders', 'of ours')),
        );
        await bed.advance(1);
        expect((await bed.sent('orders')).map(({ body }) => body)).toEqual(['of ours']);
      }));

    if (can.ownSavepoints)
      it('is a savepoint, too, that its client makes in one of ours', () =>
        publishing(async (bed) => {
          const { transactions } = bed.rivulet;
          const codes: string[] = [];
          const refused = ({ code }: { code: string }): unknown => codes.push(code);
          await transactions.run(async (tx) => {
            await s.h.write(tx, 'outer');
            await s.h.savepoint!(tx, async (inner) => {
              await s.h.write(inner, 'inner');
              await bed.publish('orders', 'inner').catch(refused);
              await transactions
                .run(() => bed.publish('orders', 'nested'), { propagation: 'nested' })
                .catch(refused);
              throw new Error('is undone');
            }).catch(({ message }) => expect(message).toBe('is undone'));
            await bed.publish('orders', 'outer');
          });
          await bed.advance(1);
          expect((await bed.sent('orders')).map(({ body }) => body)).toEqual(['outer']);
          expect(await s.h.orders()).toEqual(['outer']);
          expect(codes).toEqual(['UNMANAGED_TRANSACTION', 'UNMANAGED_TRANSACTION']);
        }));

    it('refuses what is sent in it, unless that is to go at once', async () => {
      const bed = await TestBed.open({ settings: { transactions: { participants: [s.local] } } });
      const sent = s.h.foreign!(s.local, async () => {
        await bed.publish('orders', 'apart', { transaction: false });
        await bed.publish('orders', 'inside');
      });
      await expect(sent).rejects.toMatchObject({
        code: 'UNMANAGED_TRANSACTION',
        participant: 'default',
        message: expect.stringContaining('Begin it with @Transactional()'),
      });
      expect((await bed.sent('orders')).map(({ body }) => body)).toEqual(['apart']);
      await bed.close();
    });
  });
}
