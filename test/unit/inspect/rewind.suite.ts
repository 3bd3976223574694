import { storedAt } from '../../../lib/core/message/offset.js';
import { sleep } from '../../../lib/core/runtime/clock.js';
import { InvalidInputError } from '../../../lib/core/message/errors.js';
import type { SendResult } from '../../../lib/core/message/message.js';
import type { StartFrom } from '../../../lib/core/store/refs.js';
import type { RewindTarget } from '../../../lib/inspect/rewind.js';
import { InUseError } from '../../../lib/inspect/errors.js';
import { type AdminBed, consume, type OpenAdminBed, publish, useBed } from './bed.js';

export function describeRewindAdmin(open: OpenAdminBed): void {
  describe('rewindGroup', () => {
    // Owners hear of what an operator does when they renew, and a read that waits for news has to end before that.
    const bed = useBed(open, {
      topics: { queues: 2 },
      ordered: { renewMs: 500 },
      consumer: { blockMs: 500 },
    });

    /** Resolves once so many were acked. */
    const acked = (count: number): Promise<void> =>
      new Promise((resolve) => {
        const off = bed.rivulet.events.on('acked', () => {
          if (--count > 0) return;
          off();
          resolve();
        });
      });

    /** A group that has handled a, b and c, with what was there `before`, and still reads. */
    async function handledThree(from: AdminBed, before = 0): Promise<string[]> {
      const handled: string[] = [];
      const all = acked(before + 3);
      await consume(from, ({ body }) => void handled.push(String(body)));
      await publish(from, 'a', { queue: 0 });
      await publish(from, 'b', { queue: 0 });
      await publish(from, 'c', { queue: 1 });
      await from.until(all);
      return handled;
    }

    it('hands everything out again, also to a living process when forced to', async () => {
      const handled = await handledThree(bed);
      await expect(bed.admin.rewindGroup('orders', 'billing', 'earliest')).rejects.toThrow(
        InUseError,
      );
      const again = acked(3);
      await bed.admin.rewindGroup('orders', 'billing', 'earliest', { force: true });
      await bed.until(again);
      expect(handled.toSorted()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
      const next = acked(1);
      await publish(bed, 'd');
      await bed.until(next);
      expect(handled.at(-1)).toBe('d');
      expect((await bed.admin.describeGroup('orders', 'billing')).total).toMatchObject({ lag: 0 });
    });

    it('begins at an offset of one queue, and leaves the others', async () => {
      const { offset } = await publish(bed, 'first', { queue: 0 });
      const handled = await handledThree(bed, 1);
      expect(handled).toHaveLength(4);
      const again = acked(3);
      const to = { queue: 0, offset: offset! };
      await bed.admin.rewindGroup('orders', 'billing', to, { force: true });
      await bed.until(again);
      expect(handled.slice(4).toSorted()).toEqual(['a', 'b', 'first']);
    });

    it('begins at a time', async () => {
      const { offset } = await publish(bed, 'first', { queue: 0 });
      const handled = await handledThree(bed, 1);
      const again = acked(4);
      const time = new Date(storedAt(offset!));
      await bed.admin.rewindGroup('orders', 'billing', time, { force: true });
      await bed.until(again);
      expect(handled).toHaveLength(8);
    });

    it('hands everything of an ordered group out again, in order, also to a living process when forced to', async () => {
      const { admin, rivulet } = bed;
      const seen: string[] = [];
      const tokens: number[] = [];
      let isBroken = true;
      rivulet.subscribe({
        ...{ topic: 'orders', group: 'billing', origin: 'Billing.charge', ordered: true },
        retry: { maxAttempts: 1 },
        handler: ({ body, fencingToken }) => {
          tokens.push(fencingToken!);
          seen.push(String(body));
          if (body === 'b2' && isBroken) throw new Error('no credit');
        },
      });
      await bed.until(rivulet.consume());
      const parked = rivulet.events.next('lane-parked');
      const handled = acked(4);
      for (const body of ['a1', 'b1', 'a2', 'b2', 'a3', 'b3'])
        await bed.until(publish(bed, body, { messageGroup: body[0]! }));
      await bed.until(Promise.all([parked, handled]));
      const rewinding = admin.rewindGroup('orders', 'billing', 'earliest');
      await expect(bed.until(rewinding)).rejects.toThrow(InUseError);
      const before = seen.splice(0).length;
      isBroken = false;
      const again = acked(6);
      await bed.until(admin.rewindGroup('orders', 'billing', 'earliest', { force: true }));
      await bed.until(again);
      for (const group of ['a', 'b'])
        expect(seen.filter((body) => body.startsWith(group))).toEqual([
          `${group}1`,
          `${group}2`,
          `${group}3`,
        ]);
      expect(Math.min(...tokens.slice(before))).toBeGreaterThan(Math.max(...tokens.slice(0, 1)));
      expect(await bed.until(admin.listParkedLanes('orders', 'billing'))).toEqual([]);
      const { total } = await bed.until(admin.describeGroup('orders', 'billing'));
      expect(total).toMatchObject({ lag: 0, held: 0 });
    });

    it('leaves the past to a new group that keeps the order, from the start or from a time, also of a topic that grew', async () => {
      const send = async (messageGroup: string, n: number): Promise<SendResult> =>
        publish(bed, `${messageGroup}${n}`, { messageGroup });
      const groups = ['a', 'b', 'c', 'd', 'e', 'f'];
      /** What a new ordered group is given, by message group, once that are so many messages. */
      const replayed = async (group: string, from: StartFrom, count: number) => {
        const process = await bed.another();
        const seen: string[] = [];
        const done = new Promise<void>((resolve) => {
          process.subscribe({
            ...{ topic: 'orders', group, from, ordered: true, origin: 'a test' },
            handler: ({ body }) => void (seen.push(String(body)) === count && resolve()),
          });
        });
        await bed.until(process.consume());
        await bed.until(done);
        return groups.map((name) => seen.filter((body) => body.startsWith(name)).join(' '));
      };
      const sendAll = async (n: number): Promise<SendResult[]> => {
        const sent: SendResult[] = [];
        for (const group of groups) sent.push(await send(group, n));
        return sent;
      };
      await sendAll(1);
      await bed.until(bed.admin.alterTopic('orders', { queues: 4 }));
      await sendAll(2);
      const all = groups.map((name) => `${name}1 ${name}2`);
      expect(await replayed('first', 'earliest', 12)).toEqual(all);
      // The two halves share no millisecond.
      await bed.until(sleep(bed.rivulet.clock, 5));
      const third = await sendAll(3);
      await sendAll(4);
      const from = new Date(Math.min(...third.map(({ offset }) => storedAt(offset!))));
      const since = groups.map((name) => `${name}3 ${name}4`);
      expect(await replayed('from-a-time', from, 12)).toEqual(since);
      const past = groups.map((name) => `${name}1 ${name}2 ${name}3 ${name}4`);
      expect(await replayed('from-its-start', 'earliest', 24)).toEqual(past);
    });

    it('is refused for a group that broadcasts', async () => {
      await bed.admin.createTopic('orders', { queues: 2 });
      const facts = { mode: 'broadcasting', filterDigest: '', from: 'earliest' } as const;
      await bed.stores.topics.joinGroup('orders', { ...facts, group: 'other' });
      await expect(bed.admin.rewindGroup('orders', 'other', 'earliest')).rejects.toThrow(
        /is broadcasting: each of its processes has its own place/,
      );
    });

    it.each<[string | object, RegExp]>([
      ['yesterday', /the place must be "earliest", "latest", a Date or \{ queue, offset \}/],
      [new Date(NaN), /must not be an invalid Date/],
      [new Date(Date.UTC(2100, 0, 1)), /must not be in the future/],
      [{ queue: 0, offset: 'first' }, /offset must be one that a message had, got: "first"/],
      [{ queue: -1, offset: '1-0' }, /queue must be/],
      [{ queue: 2, offset: '1-0' }, /queue must be from 0 to 1, got: 2/],
    ])('refuses %j', async (to, problem) => {
      await consume(bed, () => {});
      const rewinding = bed.admin.rewindGroup('orders', 'billing', to as RewindTarget);
      await expect(rewinding).rejects.toThrow(InvalidInputError);
      await expect(rewinding).rejects.toThrow(problem);
    });
  });
}
