import { RejectMessageError } from '../../../lib/core/consumer/handler-errors.js';
import type { DeadLetter } from '../../../lib/inspect/dead-letters.js';
import { type AdminBed, consume, deadLettered, type OpenAdminBed, publish, useBed } from './bed.js';

/** Publishes 0 … count-1 to a group that rejects them while `isRejecting` says so. */
async function rejectAll(
  bed: AdminBed,
  count: number,
  isRejecting: (body: number) => boolean = () => true,
): Promise<void> {
  await consume(bed, ({ body }) => {
    if (isRejecting(body as number)) throw new RejectMessageError(`no ${String(body)}`);
  });
  const done = deadLettered(bed, count);
  for (let i = 0; i < count; i++) await publish(bed, i, { queue: i % 2 });
  await done;
}

export function describeDeadLetterAdmin(open: OpenAdminBed): void {
  describe('dead letters', () => {
    const bed = useBed(open, { topics: { queues: 2 } });
    const bodies = (letters: readonly { entry: unknown }[]): unknown[] =>
      letters.map(({ entry }) => (entry as { body: { value: unknown } }).body.value);

    it('shows reason, error, attempts, history and the message', async () => {
      await rejectAll(bed, 1);
      const { letters, next } = await bed.admin.listDeadLetters('orders', 'billing');
      expect(next).toBeNull();
      expect(letters).toMatchObject([
        {
          topic: 'orders',
          group: 'billing',
          queue: 0,
          reason: 'no 0',
          error: 'RejectMessageError: no 0',
          attempts: 1,
          consumer: bed.rivulet.member,
          history: [{ attempt: 1, error: 'RejectMessageError: no 0' }],
          entry: { kind: 'message', body: { value: 0 }, message: { bytes: Buffer.from('0') } },
        },
      ]);
      const id = letters[0]!.id;
      expect(await bed.admin.getDeadLetter('orders', 'billing', id)).toEqual(letters[0]);
    });

    it('come in shorter pages when they are large, one at least on each', async () => {
      await consume(bed, () => {
        throw new RejectMessageError('no');
      });
      const sizes = [3_000, 3_000, 20_000, 10, 3_000, 10];
      const done = deadLettered(bed, sizes.length);
      for (const size of sizes) await publish(bed, 'x'.repeat(size), { queue: 0 });
      await done;
      const found: number[][] = [];
      for (let page = {}, isLast = false; !isLast;) {
        const options = { maxBytes: 7_000, ...page };
        const { letters, next } = await bed.admin.listDeadLetters('orders', 'billing', options);
        found.push(bodies(letters).map((body) => (body as string).length));
        page = { after: next! };
        isLast = next === null;
      }
      const sum = (page: number[]): number => page.reduce((all, size) => all + size);
      expect(found.flat().toSorted((a, b) => a - b)).toEqual(sizes.toSorted((a, b) => a - b));
      for (const page of found) expect(page.length === 1 || sum(page) < 7_000).toBe(true);
      expect(found.length).toBeLessThan(sizes.length);
      const none = bed.admin.listDeadLetters('orders', 'billing', { maxBytes: 0 });
      await expect(none).rejects.toThrow('maxBytes must be an integer of at least 1');
    });

    it('is handled again by force, although its dedup key was done meanwhile', async () => {
      const handled: unknown[] = [];
      let isRejecting = true;
      bed.rivulet.subscribe({
        topic: 'orders',
        group: 'billing',
        origin: 'a test',
        idempotent: { key: ({ key }) => `pay:${key}` },
        handler: ({ body }) => {
          if (isRejecting) throw new RejectMessageError('no');
          handled.push(body);
        },
      });
      await bed.until(bed.rivulet.consume());
      // One after the other: what finds its key in use waits, and others overtake it.
      for (const body of ['a', 'b', 'd']) {
        const dead = deadLettered(bed, 1);
        await publish(bed, body, { key: 'order-1', queue: 0 });
        await dead;
      }
      isRejecting = false;
      const acked = bed.rivulet.events.next('acked');
      await publish(bed, 'c', { key: 'order-1' });
      await bed.until(acked);

      const { letters } = await bed.admin.listDeadLetters('orders', 'billing');
      const [first, second] = letters.map(({ id }) => id) as [string, string];
      const duplicate = bed.rivulet.events.next('duplicate');
      await bed.admin.redriveDeadLetter('orders', 'billing', first);
      await bed.until(duplicate);
      const again = bed.rivulet.events.next('acked');
      const force = { force: true, dedupKey: 'pay:order-1' };
      await bed.admin.redriveDeadLetter('orders', 'billing', second, force);
      await bed.until(again);
      expect(handled).toEqual(['c', 'b']);

      const all = bed.rivulet.events.next('acked');
      const dedupKey = ({ entry }: DeadLetter): string =>
        `pay:${entry.kind === 'message' ? entry.message.key : ''}`;
      const redriving = bed.admin.redriveDeadLetters('orders', 'billing', {
        force: true,
        dedupKey,
      });
      expect(await bed.until(redriving)).toMatchObject({ redriven: 1 });
      await bed.until(all);
      expect(handled).toEqual(['c', 'b', 'd']);
    });

    it('is not redriven under a dedup key that is no text', async () => {
      await consume(bed, () => {
        throw new RejectMessageError('no');
      });
      const dead = deadLettered(bed, 1);
      await publish(bed, 'a', { key: 'order-1' });
      await dead;
      const listed = async () =>
        (await bed.admin.listDeadLetters('orders', 'billing')).letters.map(({ id }) => id);
      const [id] = (await listed()) as [string];
      for (const answered of [Promise.resolve('pay:order-1'), ''] as never[]) {
        const options = { force: true, dedupKey: () => answered };
        const redriving = bed.admin.redriveDeadLetters('orders', 'billing', options);
        await expect(redriving).rejects.toThrow('dedupKey');
      }
      const wrong = { force: true, dedupKey: 17 as never };
      const redriving = bed.admin.redriveDeadLetter('orders', 'billing', id, wrong);
      await expect(redriving).rejects.toThrow('dedupKey');
      expect(await listed()).toEqual([id]);
    });

    it('shows what another program wrote', async () => {
      await consume(bed, () => {});
      const done = deadLettered(bed, 1);
      await bed.addForeign({ topic: 'orders', queue: 1 }, [Buffer.from('n'), Buffer.from([255])]);
      await done;
      const { letters } = await bed.admin.listDeadLetters('orders', 'billing');
      expect(letters).toMatchObject([
        {
          reason: expect.stringContaining('another program wrote it'),
          entry: { kind: 'foreign', fields: [[Buffer.from('n'), Buffer.from([255])]] },
        },
      ]);
    });

    it('answers in pages that follow each other over the queues', async () => {
      await rejectAll(bed, 7);
      const seen: unknown[] = [];
      const sizes: number[] = [];
      let after: string | null | undefined;
      while (after !== null) {
        const page = await bed.admin.listDeadLetters('orders', 'billing', {
          limit: 3,
          ...(after !== undefined && { after }),
        });
        seen.push(...bodies(page.letters));
        sizes.push(page.letters.length);
        after = page.next;
      }
      expect(seen).toEqual([0, 2, 4, 6, 1, 3, 5]);
      expect(sizes).toEqual([3, 3, 1]);
    });

    it('redrives one, once, with attempts that begin anew', async () => {
      let rejecting = true;
      const attempts: number[] = [];
      await consume(bed, ({ attempt }) => {
        attempts.push(attempt);
        if (rejecting) throw new RejectMessageError('not yet');
      });
      const done = deadLettered(bed, 1);
      await publish(bed, 'a');
      await done;
      rejecting = false;
      const [letter] = (await bed.admin.listDeadLetters('orders', 'billing')).letters;
      const acked = bed.rivulet.events.next('acked');
      const offset = await bed.admin.redriveDeadLetter('orders', 'billing', letter!.id);
      expect(await bed.until(acked)).toMatchObject({ offset });
      expect(attempts).toEqual([1, 1]);
      expect(await bed.admin.redriveDeadLetter('orders', 'billing', letter!.id)).toBeUndefined();
      expect(await bed.admin.getDeadLetter('orders', 'billing', letter!.id)).toBeUndefined();
    });

    it('redrives those the filter wants, and tells how far it is', async () => {
      let rejecting = true;
      await rejectAll(bed, 6, () => rejecting);
      rejecting = false;
      const progress: number[] = [];
      const result = await bed.until(
        bed.admin.redriveDeadLetters('orders', 'billing', {
          filter: ({ entry }) =>
            entry.kind === 'message' && 'value' in entry.body && (entry.body.value as number) < 4,
          onProgress: ({ redriven }) => progress.push(redriven),
        }),
      );
      expect(result).toEqual({ redriven: 4, skipped: 2, gone: 0, state: 'finished' });
      expect(progress).toEqual([1, 2, 2, 3, 4, 4]);
      const { letters } = await bed.admin.listDeadLetters('orders', 'billing');
      expect(bodies(letters)).toEqual([4, 5]);
    });

    it('does not redrive what fails again meanwhile', async () => {
      // More than are read at once: what fails again comes behind those that are read later.
      const count = 120;
      await rejectAll(bed, count);
      const again = deadLettered(bed, count);
      const result = await bed.until(bed.admin.redriveDeadLetters('orders', 'billing'));
      expect(result).toMatchObject({ redriven: count, state: 'finished' });
      await again;
      const { letters } = await bed.admin.listDeadLetters('orders', 'billing', { limit: 1_000 });
      expect(letters).toHaveLength(count);
    });

    it('stops when it is told to, between two of them', async () => {
      await rejectAll(bed, 4);
      const stop = new AbortController();
      const result = await bed.until(
        bed.admin.redriveDeadLetters('orders', 'billing', {
          signal: stop.signal,
          onProgress: ({ redriven }) => void (redriven === 2 && stop.abort()),
        }),
      );
      expect(result).toMatchObject({ redriven: 2, state: 'stopped' });
    });

    it('rethrows what a filter throws, and has changed nothing since', async () => {
      await rejectAll(bed, 2);
      const run = bed.admin.redriveDeadLetters('orders', 'billing', {
        filter: () => {
          throw new Error('my filter');
        },
      });
      await expect(bed.until(run)).rejects.toThrow('my filter');
      expect((await bed.admin.listDeadLetters('orders', 'billing')).letters).toHaveLength(2);
    });

    it('takes no promise of a filter for a yes', async () => {
      await rejectAll(bed, 2);
      const { admin } = bed;
      const filter = (async () => false) as unknown as () => boolean;
      const problem = 'filter of dead letters: it must answer at once, and answered a promise';
      const deleting = admin.deleteDeadLetters('orders', 'billing', filter);
      await expect(bed.until(deleting)).rejects.toThrow(problem);
      const redriving = admin.redriveDeadLetters('orders', 'billing', { filter });
      await expect(bed.until(redriving)).rejects.toThrow(problem);
      expect((await admin.listDeadLetters('orders', 'billing')).letters).toHaveLength(2);
    });

    it('deletes one, and those the filter wants', async () => {
      await rejectAll(bed, 5);
      const { letters } = await bed.admin.listDeadLetters('orders', 'billing');
      expect(await bed.admin.deleteDeadLetter('orders', 'billing', letters[0]!.id)).toBe(true);
      expect(await bed.admin.deleteDeadLetter('orders', 'billing', letters[0]!.id)).toBe(false);
      const odd = ({ queue }: { queue: number }): boolean => queue === 1;
      expect(await bed.admin.deleteDeadLetters('orders', 'billing', odd)).toBe(2);
      const left = await bed.admin.listDeadLetters('orders', 'billing');
      expect(bodies(left.letters)).toEqual([2, 4]);
      expect(await bed.admin.deleteDeadLetters('orders', 'billing', () => true)).toBe(2);
    });

    it('finds nothing in a queue the topic does not have', async () => {
      await consume(bed, () => {});
      expect(await bed.admin.getDeadLetter('orders', 'billing', '99:1-0')).toBeUndefined();
      expect(await bed.admin.deleteDeadLetter('orders', 'billing', '99:1-0')).toBe(false);
      expect(await bed.admin.listDeadLetters('orders', 'billing', { after: '99:1-0' })).toEqual({
        letters: [],
        next: null,
      });
    });

    it('refuses what cannot be meant, all at once', async () => {
      await consume(bed, () => {});
      const { admin } = bed;
      await expect(
        admin.listDeadLetters('a b', '', { limit: 0, after: '5', page: 1 } as object),
      ).rejects.toMatchObject({ problems: { length: 5 } });
      await expect(admin.getDeadLetter('orders', 'billing', '1-0')).rejects.toThrow(/id of a dead/);
      await expect(
        admin.redriveDeadLetters('orders', 'billing', {
          perSecond: 0,
          filter: 'x',
          signal: {},
        } as object),
      ).rejects.toMatchObject({ problems: { length: 3 } });
      await expect(
        admin.deleteDeadLetters('orders', 'billing', undefined as never),
      ).rejects.toThrow(/filter is needed/);
    });
  });
}
