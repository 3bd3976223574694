import { setTimeout as sleep } from 'node:timers/promises';
import type { OutboxRow } from '../../lib/core/transaction/participant.js';
import type { Abilities } from './harness.js';
import { gate, transactionId } from './ids.js';
import { nothing, type Subject } from './subject.js';

const HOUR = 3_600_000;

export function describeTables(s: Subject, can: Abilities): void {
  const most = { limit: 100, maxBytes: 2_000_000 };
  const all = { ...most, before: 2 ** 48 - 1 }; // after every id
  const publishAll = async (rows: readonly OutboxRow[]): Promise<string[]> =>
    rows.map(({ id }) => id);
  const put = (id: string, text: string): Promise<void> =>
    s.local.run((tx) => s.local.outbox.put(tx, { id, bytes: Buffer.from(text) }));
  const waiting = async (): Promise<string[]> => {
    const texts: string[] = [];
    await s.checker.outbox.drain(all, async (rows) => {
      texts.push(...rows.map(({ bytes }) => bytes.toString()));
      return [];
    });
    return texts;
  };

  describe('prepare and identity', () => {
    it('is the same for every process, and stays', async () => {
      const identity = await s.local.identity();
      expect(identity).toMatch(/^[0-9a-f-]{36}$/);
      await s.checker.prepare();
      expect(await s.checker.identity()).toBe(identity);
    });
  });

  describe('purge', () => {
    it('forgets old verdicts, at most so many, and lets nobody decide them anew', async () => {
      const now = Date.now();
      const old = [5, 4, 3].map((hours) => transactionId(now - hours * HOUR));
      const recent = transactionId(now);
      await s.checker.decide([...old, recent]);

      expect(await s.local.purge(now - HOUR, 2)).toBe(2);
      expect(await s.local.purge(now - HOUR, 2)).toBe(1);
      expect(await s.local.purge(now - HOUR, 2)).toBe(0);
      const verdicts = await s.checker.decide([...old, recent, transactionId(now - 2 * HOUR)]);
      expect([...verdicts.values()]).toEqual([
        ...old.map(() => 'forgotten'),
        'rollback',
        'forgotten',
      ]);
      expect(await s.verdict(transactionId(now))).toBe('rollback');
    });

    it('does not move the border back', async () => {
      const now = Date.now();
      await s.local.purge(now - HOUR, 10);
      await s.local.purge(now - 3 * HOUR, 10);
      expect(await s.verdict(transactionId(now - 2 * HOUR))).toBe('forgotten');
    });
  });

  describe('outbox', () => {
    it('holds what committed, and nothing else', async () => {
      await put(transactionId(), 'committed');
      const failing = s.local.run(async (tx) => {
        await s.local.outbox.put(tx, { id: transactionId(), bytes: Buffer.from('rolled back') });
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
      expect(await waiting()).toEqual(['committed']);
    });

    it('hands out the oldest first, at most so many, between the bounds', async () => {
      const now = Date.now();
      const ids = [4, 3, 2, 1].map((n) => transactionId(now - n * 1_000));
      for (const i of [2, 0, 3, 1]) await put(ids[i]!, `row ${i}`);
      const seen: string[][] = [];
      const look = async (rows: readonly OutboxRow[]): Promise<string[]> => {
        seen.push(rows.map(({ bytes }) => bytes.toString()));
        return [];
      };
      expect(await s.checker.outbox.drain({ ...most, limit: 2, before: now }, look)).toBe(2);
      expect(await s.checker.outbox.drain({ ...most, before: now - 1_500 }, look)).toBe(3);
      await s.checker.outbox.drain({ ...most, before: now, after: ids[1]! }, look);
      expect(seen).toEqual([
        ['row 0', 'row 1'],
        ['row 0', 'row 1', 'row 2'],
        ['row 2', 'row 3'],
      ]);
    });

    it('hands out rows of at most so many bytes, and one always', async () => {
      const sizes = [700, 400, 300, 5, 2_000, 1];
      for (const [i, size] of sizes.entries())
        await put(transactionId((i + 1) * 1_000), 'x'.repeat(size));
      const seen: number[][] = [];
      const take = async (rows: readonly OutboxRow[]): Promise<string[]> => {
        seen.push(rows.map(({ bytes }) => bytes.length));
        return rows.map(({ id }) => id);
      };
      while ((await s.checker.outbox.drain({ ...all, maxBytes: 1_000 }, take)) > 0);
      expect(seen).toEqual([[700], [400, 300, 5], [2_000], [1]]);
    });

    it('deletes what was published and keeps the rest', async () => {
      const [first, second] = [transactionId(1_000), transactionId(2_000)];
      await put(first, 'one');
      await put(second, 'two');
      await s.checker.outbox.drain(all, async () => [first]);
      expect(await waiting()).toEqual(['two']);
    });

    it('keeps everything when publishing fails, for the next one at once', async () => {
      await put(transactionId(), 'kept');
      const failing = s.checker.outbox.drain(all, async () => {
        throw new Error('Redis is down');
      });
      await expect(failing).rejects.toThrow('Redis is down');
      expect(await waiting()).toEqual(['kept']);
      expect(await s.other.outbox.drain(all, publishAll)).toBe(1);
      expect(await waiting()).toEqual([]);
    });

    it('does not publish when there is nothing', async () => {
      let published = false;
      expect(
        await s.checker.outbox.drain(all, async () => {
          published = true;
          return [];
        }),
      ).toBe(0);
      expect(published).toBe(false);
    });

    it('hands out no row twice at a time', async () => {
      for (let i = 1; i <= 4; i++) await put(transactionId(i * 1_000), `row ${i}`);
      const [taken, go] = [gate(), gate()];
      const seen: string[] = [];
      const first = s.checker.outbox.drain({ ...all, limit: 2 }, async (rows) => {
        seen.push(...rows.map(({ bytes }) => bytes.toString()));
        taken.open();
        await go.opened;
        return publishAll(rows);
      });
      await taken.opened;
      const second = await s.other.outbox.drain(all, async (rows) => {
        seen.push(...rows.map(({ bytes }) => bytes.toString()));
        return publishAll(rows);
      });
      go.open();
      expect([await first, second]).toEqual([2, 2]);
      expect(seen).toEqual(['row 1', 'row 2', 'row 3', 'row 4']);
      expect(await waiting()).toEqual([]);
    });

    it('takes new rows while a relay publishes', async () => {
      await put(transactionId(1_000), 'old');
      const taken = gate();
      const go = gate();
      const draining = s.checker.outbox.drain(all, async (rows) => {
        taken.open();
        await go.opened;
        return publishAll(rows);
      });
      await taken.opened;
      await put(transactionId(), 'new'); // would wait for the relay, which waits for it
      go.open();
      await draining;
      expect(await waiting()).toEqual(['new']);
    });

    it('keeps bytes as they are, a megabyte of them or none', async () => {
      const bytes = Buffer.alloc(1_000_000, Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
      await s.local.run(async (tx) => {
        await s.local.outbox.put(tx, { id: transactionId(1_000), bytes });
        await s.local.outbox.put(tx, { id: transactionId(2_000), bytes: Buffer.from([0]) });
      });
      const seen: Buffer[] = [];
      await s.checker.outbox.drain(all, async (rows) => {
        seen.push(...rows.map((row) => row.bytes));
        return publishAll(rows);
      });
      expect(seen[0]!.equals(bytes)).toBe(true);
      expect(seen[1]!.equals(Buffer.from([0]))).toBe(true);
    });

    it('removes rows that were published by their owner, repeatedly', async () => {
      const id = transactionId();
      await put(id, 'published');
      await s.local.outbox.remove([id]);
      await s.local.outbox.remove([id]);
      await s.local.outbox.remove([]);
      expect(await waiting()).toEqual([]);
    });
  });

  describe('inbox', () => {
    const entry = { group: 'billing', key: 'order 17' };
    const enter = (tx: unknown, what = entry): Promise<'entered' | 'duplicate'> =>
      s.local.inbox.enter(tx, what);

    it('knows what was entered and committed, for each group', async () => {
      expect(await s.local.run((tx) => enter(tx))).toBe('entered');
      expect(await s.local.run((tx) => enter(tx))).toBe('duplicate');
      expect(await s.local.run((tx) => enter(tx, { ...entry, group: 'mail' }))).toBe('entered');
      expect(await s.local.run((tx) => enter(tx, { ...entry, key: 'order 18' }))).toBe('entered');
    });

    it('forgets what was rolled back', async () => {
      const failing = s.local.run(async (tx) => {
        await enter(tx);
        throw new Error('handler failed');
      });
      await expect(failing).rejects.toThrow('handler failed');
      expect(await s.local.run((tx) => enter(tx))).toBe('entered');
    });

    if (can.swallow)
      it('is not left by a transaction that the database has ended on the way', async () => {
        const swallowing = s.local.run(async (tx) => {
          await enter(tx);
          await s.h.swallow!(tx);
          await s.local.inbox.leave!(tx);
        });
        await expect(swallowing).rejects.toThrow('swallowed');
      });

    it('is left by one that is still there, which commits', async () => {
      await s.local.run(async (tx) => {
        await enter(tx);
        await s.local.inbox.leave?.(tx);
      });
      expect(await s.local.run((tx) => enter(tx))).toBe('duplicate');
    });

    it('takes keys of any length and kind apart', async () => {
      const long = 'ключ '.repeat(2_000);
      const keys = [long, `${long}!`, `${long}?`, 'A', 'a', 'a ', ''];
      for (const key of keys)
        expect(await s.local.run((tx) => enter(tx, { ...entry, key }))).toBe('entered');
    });

    it('does not take one group for another by what their names and keys are together', async () => {
      for (const [group, key] of [
        ['billing', '2:17'],
        ['billing:2', '17'],
        ['billing2', ':17'],
      ] as const)
        expect(await s.local.run((tx) => enter(tx, { group, key }))).toBe('entered');
    });

    if (can.waits !== false)
      it.each([
        ['committed', 'duplicate'],
        ['rolled back', 'entered'],
      ] as const)(
        'makes a concurrent duplicate wait until the first one has %s',
        async (end, answer) => {
          const [entered, go] = [gate(), gate()];
          const first = s.local.run(async (tx) => {
            await enter(tx);
            entered.open();
            await go.opened;
            if (end === 'rolled back') throw new Error('failed');
          });
          first.catch(nothing);
          await entered.opened;
          let answered = false;
          const second = s.other
            .run((tx) => s.other.inbox.enter(tx, entry))
            .finally(() => (answered = true));
          await sleep(30); // long enough for an answer that does not wait
          expect(answered).toBe(false);
          go.open();
          expect(await second).toBe(answer);
        },
      );
    else
      it('lets a concurrent duplicate come again, which then finds the first one', async () => {
        const [entered, asked] = [gate(), gate()];
        const first = s.local.run(async (tx) => {
          await enter(tx);
          entered.open();
          await asked.opened;
        });
        await entered.opened;
        const second = s.other.run((tx) => s.other.inbox.enter(tx, entry));
        const answer = second.catch(({ code }: { code: string }) => code);
        setTimeout(asked.open, 30); // a server of another make lets it wait
        await first;
        expect(['INBOX_BUSY', 'duplicate']).toContain(await answer);
        expect(await s.other.run((tx) => s.other.inbox.enter(tx, entry))).toBe('duplicate');
      });

    it('forgets old entries, at most so many', async () => {
      for (const key of ['1', '2', '3']) await s.local.run((tx) => enter(tx, { ...entry, key }));
      expect(await s.checker.inbox.purge(Date.now() - HOUR, 10)).toBe(0);
      expect(await s.checker.inbox.purge(Date.now() + HOUR, 2)).toBe(2);
      expect(await s.checker.inbox.purge(Date.now() + HOUR, 2)).toBe(1);
      expect(await s.local.run((tx) => enter(tx, { ...entry, key: '1' }))).toBe('entered');
    });
  });
}
