import type { ParkedLane, ParkedLanesOptions } from '../../../lib/inspect/parked-lanes.js';
import { type OpenAdminBed, useBed } from './bed.js';

export function describeLaneAdmin(open: OpenAdminBed): void {
  describe('parked lanes', () => {
    // Owners hear of what an operator does when they renew, and a read that waits for news has to end before that.
    const bed = useBed(open, { ordered: { renewMs: 500 }, consumer: { blockMs: 500 } });

    it.each([
      ['retry', ['1', '1', '2'], 0],
      ['skip', ['1', '2'], 0],
      ['dead-letter', ['1', '2'], 1],
    ] as const)('are listed with their reason, and go on: %s', async (action, all, letters) => {
      const { admin, rivulet } = bed;
      const seen: unknown[] = [];
      let isBroken = true;
      rivulet.subscribe({
        ...{ topic: 'orders', group: 'billing', origin: 'Billing.charge', ordered: true },
        retry: { maxAttempts: 1 },
        handler: ({ body }) => {
          seen.push(body);
          if (isBroken) throw new Error('no credit');
        },
      });
      const parked = rivulet.events.next('lane-parked');
      await bed.until(rivulet.consume());
      for (const body of ['1', '2'])
        await bed.until(rivulet.producer.send('orders', body, { messageGroup: 'vase' }));
      await bed.until(parked);

      const [lane, ...others] = await bed.until(admin.listParkedLanes('orders', 'billing'));
      expect(others).toEqual([]);
      expect(lane).toMatchObject({
        messageGroup: 'vase',
        note: { reason: 'failed once; last: Error: no credit', attempts: 1 },
        head: { kind: 'message', body: { value: '1' } },
      });
      isBroken = false;
      const acked = rivulet.events.next(
        'acked',
        ({ attempt }) => seen.length === all.length && attempt === 1,
      );
      expect(await bed.until(admin.resumeLane('orders', 'billing', lane!, action))).toBe(true);
      expect(await bed.until(admin.resumeLane('orders', 'billing', lane!, action))).toBe(false);
      await bed.until(acked);
      expect(seen).toEqual(all);
      expect(await bed.until(admin.listParkedLanes('orders', 'billing'))).toEqual([]);
      const { letters: found } = await bed.until(admin.listDeadLetters('orders', 'billing'));
      expect(found).toHaveLength(letters);
      for (const letter of found)
        expect(letter).toMatchObject({
          ...{ reason: 'failed once; last: Error: no credit', error: 'Error: no credit' },
          history: [{ attempt: 1, error: 'Error: no credit' }],
        });
    });

    it('are listed in parts, longest parked first, however many and however large', async () => {
      const { admin, rivulet } = bed;
      rivulet.subscribe({
        ...{ topic: 'orders', group: 'billing', origin: 'Billing.charge', ordered: true },
        retry: { maxAttempts: 1 },
        handler: () => {
          throw new Error('no credit');
        },
      });
      await bed.until(rivulet.consume());
      const groups = ['a', 'b', 'c', 'd', 'e'];
      for (const messageGroup of groups) {
        const parked = rivulet.events.next(
          'lane-parked',
          (facts) => facts.messageGroup === messageGroup,
        );
        await bed.until(rivulet.producer.send('orders', 'x'.repeat(1_000), { messageGroup }));
        await bed.until(parked);
      }
      const list = (options?: ParkedLanesOptions): Promise<ParkedLane[]> =>
        bed.until(admin.listParkedLanes('orders', 'billing', options));
      const all = await list();
      expect(all.map(({ messageGroup }) => messageGroup).sort()).toEqual(groups);
      expect(all.map(({ parkedAt }) => parkedAt)).toEqual(
        all.map(({ parkedAt }) => parkedAt).sort((a, b) => a - b),
      );
      expect(await list({ limit: 2 })).toEqual(all.slice(0, 2));
      expect(await list({ limit: 2, after: all[1]! })).toEqual(all.slice(2, 4));
      expect(await list({ maxBytes: 2_500, after: all[0]! })).toEqual(all.slice(1, 3));
      expect(await list({ maxBytes: 1 })).toEqual(all.slice(0, 1));
      expect(await list({ after: all.at(-1)! })).toEqual([]);
      await expect(list({ limt: 2, maxBytes: 0, after: 'a' } as never)).rejects.toThrow(
        /did you mean "limit".*maxBytes must be.*after must be a lane that was listed/,
      );
    });

    it('belong to a group that is not deleted while it owns queues', async () => {
      const { admin, rivulet } = bed;
      rivulet.subscribe({
        ...{ topic: 'orders', group: 'billing', origin: 'Billing.charge', ordered: true },
        handler: () => undefined,
      });
      const acquired = rivulet.events.next('queue-acquired');
      await bed.until(rivulet.consume());
      await bed.until(acquired);
      await expect(bed.until(admin.deleteGroup('orders', 'billing'))).rejects.toThrow(
        rivulet.member,
      );
    });

    it('are not resumed where there is none, or with an action nobody knows', async () => {
      const { admin, rivulet } = bed;
      rivulet.subscribe({
        ...{ topic: 'orders', group: 'billing', origin: 'Billing.charge', ordered: true },
        handler: () => undefined,
      });
      await bed.until(rivulet.consume());
      const lane = { queue: 0, lane: '=vase' };
      const { mode } = await bed.until(admin.describeGroup('orders', 'billing'));
      expect(mode).toBe('ordered');
      expect(await bed.until(admin.resumeLane('orders', 'billing', lane))).toBe(false);
      await expect(
        bed.until(admin.resumeLane('orders', 'billing', { ...lane, queue: 99 }, 'drop' as 'skip')),
      ).rejects.toThrow(/queue must be .*action must be "retry", "dead-letter" or "skip"/);
      await expect(
        bed.until(admin.resumeLane('orders', 'billing', { queue: 0, lane: 'vase' })),
      ).rejects.toThrow(
        'lane must be as it was listed (that of message group "a" is "=a"), got: "vase"',
      );
    });
  });
}
