import { MarkerRefusedError } from '../../lib/core/transaction/participant-errors.js';
import { gate, soon, transactionId } from './ids.js';
import type { Abilities } from './harness.js';
import { nothing, type Subject } from './subject.js';

export function describeTransaction(s: Subject, can: Abilities): void {
  describe('transaction', () => {
    const { place } = s;

    it('commits what the body wrote, and answers what it returned', async () => {
      const { id, placed } = place('a');
      expect(await placed).toBe('result of a');
      expect(await s.h.orders()).toEqual(['a']);
      expect(await s.verdict(id)).toBe('commit');
    });

    it('rejects with the error of the body, unchanged, and keeps nothing', async () => {
      const error = new Error('out of stock');
      const { id, placed } = place('a', {
        afterMark: async () => {
          throw error;
        },
      });
      await expect(placed).rejects.toBe(error);
      expect(await s.h.orders()).toEqual([]);
      expect(await s.verdict(id)).toBe('rollback');
    });

    if (can.savepoints !== false)
      it('goes on after a nested part that failed, without what that part wrote', async () => {
        const failure = new Error('nested');
        const { id, placed } = place('outer', {
          beforeMark: async (tx) => {
            const nested = s.local.nested!(tx, async (inner) => {
              await s.h.write(inner, 'inner');
              throw failure;
            });
            await expect(nested).rejects.toBe(failure);
            const good = await s.local.nested!(tx, async (inner) => {
              await s.h.write(inner, 'good');
              return 7;
            });
            expect(good).toBe(7);
          },
        });
        await placed;
        expect(await s.h.orders()).toEqual(['good', 'outer']);
        expect(await s.verdict(id)).toBe('commit');
      });

    if (can.savepoints !== false)
      it('undoes with a nested part that failed what parts of it had kept', async () => {
        const failure = new Error('nested');
        const { placed } = place('outer', {
          beforeMark: async (tx) => {
            const nested = s.local.nested!(tx, async (inner) => {
              await s.local.nested!(inner, (innermost) => s.h.write(innermost, 'innermost'));
              throw failure;
            });
            await expect(nested).rejects.toBe(failure);
          },
        });
        await placed;
        expect(await s.h.orders()).toEqual(['outer']);
      });

    it('runs many transactions at once', async () => {
      const names = Array.from({ length: 30 }, (_, i) => `order ${String(i).padStart(2, '0')}`);
      await Promise.all(names.map((name) => place(name).placed));
      expect(await s.h.orders()).toEqual(names);
    });

    if (can.isolation)
      it('refuses an option or a level that its client does not know, before anything is begun', async () => {
        const [word] = Object.keys(s.h.isolation!('serializable') as object);
        for (const options of [{ level: 'serializable' }, { [word!]: 'strict' }]) {
          let isBegun = false;
          const run = s.local.run(async () => (isBegun = true), options);
          await expect(run).rejects.toThrow();
          expect(isBegun).toBe(false);
        }
      });

    if (can.swallow)
      it('rejects when the database has ended it on the way, and commits no message', async () => {
        const { id, placed } = place('a', { beforeMark: (tx) => s.h.swallow!(tx) });
        await expect(placed).rejects.toMatchObject({ code: 'MARKER_REFUSED', reason: 'ended' });
        expect(await s.verdict(id)).toBe('rollback');
      });

    if (can.kill && can.savepoints !== false)
      it('says what failed first when a nested part cannot be undone', async () => {
        const failure = new Error('nested');
        const { placed } = place('a', {
          beforeMark: (tx) =>
            s.local.nested!(tx, async (inner) => {
              await s.h.kill!(inner);
              throw failure;
            }),
        });
        await expect(placed).rejects.toMatchObject({ cause: failure });
        await expect(placed).rejects.toThrow('could not undo a savepoint');
        expect(await s.h.orders()).toEqual([]);
      });

    if (can.kill)
      it('rejects when its connection is killed, and the process lives on', async () => {
        const { id, placed } = place('a', { afterMark: (tx) => s.h.kill!(tx) });
        await expect(placed).rejects.toThrow();
        expect(await s.verdict(id)).toBe('rollback');
        expect(await s.h.orders()).toEqual([]);
        await place('b').placed;
        expect(await s.h.orders()).toEqual(['b']);
      });
  });

  describe('marker', () => {
    it('is refused when the transaction was decided against before', async () => {
      const { id, placed } = s.place('a', {
        beforeBody: async (it) => expect(await s.verdict(it)).toBe('rollback'),
      });
      await expect(placed).rejects.toBeInstanceOf(MarkerRefusedError);
      await expect(placed).rejects.toMatchObject({ reason: 'decided', transactionId: id });
      expect(await s.h.orders()).toEqual([]);
      expect(await s.verdict(id)).toBe('rollback');
    });

    if (can.writersMeet)
      it('is refused when it was decided against after the body had begun', async () => {
        const { id, placed } = s.place('a', {
          beforeMark: async () => expect(await s.verdict(id)).toBe('rollback'),
        });
        await expect(placed).rejects.toMatchObject({ reason: 'decided' });
        expect(await s.h.orders()).toEqual([]);
      });

    it('is refused after the deadline, by the clock of the database', async () => {
      const { id, placed } = s.place('a', { deadline: Date.now() - 1 });
      await expect(placed).rejects.toMatchObject({ reason: 'too-late' });
      expect(await s.h.orders()).toEqual([]);
      expect(await s.verdict(id)).toBe('rollback');
    });

    it('is written once', async () => {
      const id = transactionId();
      const marker = { id, deadline: soon() };
      await s.local.run((tx) => s.local.mark(tx, marker));
      const again = s.local.run((tx) => s.local.mark(tx, marker));
      await expect(again).rejects.toBeInstanceOf(MarkerRefusedError);
      expect(await s.verdict(id)).toBe('commit');
    });
  });

  describe('decide', () => {
    it('decides against what nobody knows, once and for all', async () => {
      const id = transactionId();
      expect(await s.verdict(id)).toBe('rollback');
      expect(await s.verdict(id)).toBe('rollback');
    });

    it('answers nothing for nothing', async () => {
      expect(await s.checker.decide([])).toEqual(new Map());
    });

    it('answers as many as are asked', async () => {
      const committed = Array.from({ length: 20 }, () => transactionId());
      for (const id of committed)
        await s.local.run((tx) => s.local.mark(tx, { id, deadline: soon() }));
      const unknown = Array.from({ length: 20 }, () => transactionId());
      const verdicts = await s.checker.decide([...committed, ...unknown]);
      expect(verdicts).toEqual(
        new Map([
          ...committed.map((id) => [id, 'commit'] as const),
          ...unknown.map((id) => [id, 'rollback'] as const),
        ]),
      );
    });

    it('does not decide while the transaction is open, and is right afterwards', async () => {
      const [marked, asked] = [gate(), gate()];
      const { id, placed } = s.place('a', {
        afterMark: async () => {
          marked.open();
          await asked.opened;
        },
      });
      await marked.opened;
      expect(await s.verdict(id)).toBe('unknown');
      asked.open();
      await placed;
      expect(await s.verdict(id)).toBe('commit');
    });

    it.each([
      ['commits', 'commit'],
      ['rolls back', 'rollback'],
    ] as const)('waits a moment for a transaction, which then %s', async (end, verdict) => {
      const [marked, asked] = [gate(), gate()];
      const { id, placed } = s.place('a', {
        afterMark: async () => {
          marked.open();
          await asked.opened;
          if (end === 'rolls back') throw new Error('changed its mind');
        },
      });
      await marked.opened;
      const asking = s.verdict(id);
      setTimeout(asked.open, 50);
      await placed.catch(nothing);
      expect(['unknown', verdict]).toContain(await asking);
      expect(await s.verdict(id)).toBe(verdict);
    });

    it('gives one verdict to checkers that ask while the transaction ends', async () => {
      for (let round = 0; round < 10; round++) {
        const [marked, asked] = [gate(), gate()];
        const { id, placed } = s.place(`round ${round}`, {
          afterMark: async () => {
            marked.open();
            await asked.opened;
            if (round % 2 === 0) throw new Error('rolled back');
          },
        });
        await marked.opened;
        const asking = [s.checker, s.other, s.checker, s.other].map((checker) =>
          checker.decide([id]),
        );
        asked.open();
        const [committed, ...answers] = await Promise.all([
          placed.then(() => true).catch(() => false),
          ...asking,
        ]);
        const definite = new Set(answers.map((map) => map.get(id)).filter((v) => v !== 'unknown'));
        const expected = committed ? 'commit' : 'rollback';
        expect([...definite].every((verdict) => verdict === expected)).toBe(true);
        expect(await s.verdict(id)).toBe(expected);
      }
    });

    if (can.isolation)
      it.each(['read committed', 'repeatable read', 'serializable'] as const)(
        'holds against a transaction at %s whose snapshot is older',
        async (level) => {
          const { id, placed } = s.place('a', {
            options: s.h.isolation!(level),
            beforeMark: async (tx) => {
              await s.h.read(tx);
              expect(await s.verdict(id)).toBe('rollback');
            },
          });
          await expect(placed).rejects.toThrow();
          expect(await s.h.orders()).toEqual([]);
          expect(await s.verdict(id)).toBe('rollback');

          const later = s.place('b', { options: s.h.isolation!(level) });
          await later.placed;
          expect(await s.verdict(later.id)).toBe('commit');
        },
      );

    it('gives a late transaction and a checker that meet one verdict', async () => {
      const outcomes = { commit: 0, rollback: 0 };
      for (let round = 0; round < 20; round++) {
        const order = `round ${String(round).padStart(2, '0')}`;
        const { id, placed } = s.place(order);
        const asking = s.verdict(id);
        const isCommitted = await placed.then(() => true).catch(() => false);
        const expected = isCommitted ? 'commit' : 'rollback';
        expect(['unknown', expected]).toContain(await asking);
        expect(await s.verdict(id)).toBe(expected);
        expect((await s.h.orders()).includes(order)).toBe(isCommitted);
        outcomes[expected] += 1;
      }
      expect(outcomes.commit + outcomes.rollback).toBe(20);
    });
  });
}
