import { parseMessageId } from '../../lib/core/message/message-id.js';
import { frameMessageId } from '../../lib/core/message/wire-format.js';
import type { ScheduledEntry } from '../../lib/core/store/schedule-store.js';
import { type OpenHarness, useHarness } from './harness.js';
import {
  BILLING,
  frameIn,
  declare,
  entryOf,
  join,
  logTexts,
  numbered,
  publish,
  publishTexts,
  QUEUE,
} from './messages.js';

export function describeScheduleStore(open: OpenHarness): void {
  describe('ScheduleStore', () => {
    const h = useHarness(open);
    const release = (limit = 1_000) => h.stores.schedule.releaseDue(QUEUE, limit);
    const later = (body: string, delayMs: number) => entryOf(body, { due: { delayMs } });
    /** Schedules one message; answers its id. */
    const schedule = async (body: string, delayMs: number): Promise<string> => {
      const entry = later(body, delayMs);
      await publish(h.stores, [entry]);
      return frameMessageId(entry.frame);
    };
    beforeEach(() => declare(h.stores, { queues: 2 }));

    it('releases nothing before its time and says when to come back', async () => {
      await publish(h.stores, [later('b', 2_000), later('a', 1_000)]);
      const dueAt = h.now() + 1_000;
      await h.advance(999);
      expect(await release()).toEqual({ released: 0, nextDueAt: dueAt, now: h.now() });
      expect(await logTexts(h.stores)).toEqual([]);
      await h.advance(1);
      expect(await release()).toEqual({ released: 1, nextDueAt: dueAt + 1_000, now: h.now() });
      expect(await logTexts(h.stores)).toEqual(['a']);
      await h.advance(1_000);
      expect(await release()).toEqual({ released: 1, nextDueAt: null, now: h.now() });
      expect(await logTexts(h.stores)).toEqual(['a', 'b']);
    });

    it('releases in order of due time, whatever the order of the sends', async () => {
      const delays = [500, 100, 400, 200, 300];
      await publish(
        h.stores,
        delays.map((delayMs) => later(String(delayMs), delayMs)),
      );
      await h.advance(1_000);
      await release();
      expect(await logTexts(h.stores)).toEqual(['100', '200', '300', '400', '500']);
    });

    it('releases equal due times in the order of the sends', async () => {
      await publish(
        h.stores,
        numbered(300).map((body) => later(body, 1_000)),
      );
      await h.advance(1_000);
      await release();
      expect(await logTexts(h.stores)).toEqual(numbered(300));
    });

    it('releases at most `limit` per call, in order across the calls', async () => {
      await publish(
        h.stores,
        numbered(700).map((body, i) => later(body, 1_000 + i)),
      );
      await h.advance(5_000);
      const counts = [];
      for (let call = 0; call < 4; call++) counts.push((await release(200)).released);
      expect(counts).toEqual([200, 200, 200, 100]);
      expect(await logTexts(h.stores)).toEqual(numbered(700));
      expect(await h.stores.schedule.count(QUEUE)).toBe(0);
    });

    it('says that more is due now when the limit was reached', async () => {
      await publish(h.stores, [later('a', 10), later('b', 10)]);
      await h.advance(10);
      const { released, nextDueAt, now } = await release(1);
      expect(released).toBe(1);
      expect(nextDueAt).toBeLessThanOrEqual(now);
    });

    it('releases each message once when several processes release at the same time', async () => {
      await publish(
        h.stores,
        numbered(100).map((body) => later(body, 10)),
      );
      await h.advance(10);
      const other = await h.sibling();
      const replies = await Promise.all(
        [h.stores, other, h.stores, other].map((stores) => stores.schedule.releaseDue(QUEUE, 40)),
      );
      expect(replies.map(({ released }) => released).reduce((a, b) => a + b)).toBe(100);
      expect(await logTexts(h.stores)).toEqual(numbered(100));
    });

    it('releases a message byte for byte, and wakes a waiting reader', async () => {
      await join(h.stores, 'billing');
      const entry = entryOf(Buffer.from([0, 255, 13, 10, 195]), { due: { delayMs: 10 } });
      await publish(h.stores, [entry]);
      const reading = h.consumer(BILLING, 'c').read({ blockMs: 20_000 });
      await h.advance(10);
      await release();
      const [delivered] = await reading;
      expect(frameIn(delivered!.content).equals(entry.frame)).toBe(true);
    });

    it('releases into the queue the message was sent to, behind what is there', async () => {
      const elsewhere = { topic: 'orders', queue: 1 };
      await publish(h.stores, [later('later', 10)], elsewhere);
      await publishTexts(h.stores, ['now'], elsewhere);
      await h.advance(10);
      expect(await release()).toMatchObject({ released: 0, nextDueAt: null });
      expect(await h.stores.schedule.releaseDue(elsewhere, 10)).toMatchObject({ released: 1 });
      expect(await logTexts(h.stores, elsewhere)).toEqual(['now', 'later']);
    });

    it('finds a scheduled message as it was sent', async () => {
      const entry = later('a', 1_000);
      await publish(h.stores, [entry]);
      const found = await h.stores.schedule.find(QUEUE, frameMessageId(entry.frame));
      expect(found!.dueAt).toBe(h.now() + 1_000);
      expect(found!.frame.equals(entry.frame)).toBe(true);
    });

    it('lists by due time, and equal times in the order of the sends, in parts of any size', async () => {
      const delays = [300, 100, 200, 100, 100];
      const entries = delays.map((delayMs, i) => later(`${i}`, delayMs));
      await publish(h.stores, entries);
      const [e0, e1, e2, e3, e4] = entries.map(({ frame }) => frameMessageId(frame));
      const all = await h.stores.schedule.list(QUEUE, { count: 10 });
      expect(all.map(({ messageId }) => messageId)).toEqual([e1, e3, e4, e2, e0]);
      expect(all[4]).toEqual({ messageId: e0, dueAt: h.now() + 300, frame: entries[0]!.frame });
      for (const count of [1, 2, 3]) {
        const found: ScheduledEntry[] = [];
        for (;;) {
          const after = found.at(-1);
          const part = await h.stores.schedule.list(QUEUE, { ...(after && { after }), count });
          found.push(...part);
          if (part.length < count) break;
        }
        expect(found).toEqual(all);
      }
    });

    it('lists on behind a message that is gone, or was moved', async () => {
      const entries = numbered(5).map((body) => later(body, 1_000));
      await publish(h.stores, entries);
      const ids = entries.map(({ frame }) => frameMessageId(frame));
      const after = { dueAt: h.now() + 1_000, messageId: ids[1]! };
      const behind = async (): Promise<string[]> =>
        (await h.stores.schedule.list(QUEUE, { after, count: 10 })).map((one) => one.messageId);
      expect(await behind()).toEqual(ids.slice(2));
      await h.stores.schedule.cancel(QUEUE, ids[1]!);
      expect(await behind()).toEqual(ids.slice(2));
      await h.stores.schedule.reschedule(QUEUE, ids[2]!, { at: h.now() + 1 });
      expect(await behind()).toEqual(ids.slice(3));
      await h.stores.schedule.reschedule(QUEUE, ids[0]!, { delayMs: 9_000 });
      expect(await behind()).toEqual([ids[3], ids[4], ids[0]]);
    });

    it('lists equal times by the bytes of ids', async () => {
      const entries = [0xff, 0x00, 0x7f, 0x80, 0xe9, 0x61, 0x41].map((first) => {
        const entry = later('x', 1_000);
        entry.frame[entry.frame.indexOf(parseMessageId(frameMessageId(entry.frame)))] = first;
        return entry;
      });
      await publish(h.stores, entries);
      const sorted = entries.map(({ frame }) => frameMessageId(frame)).sort();
      for (const [i, messageId] of sorted.entries()) {
        const after = { dueAt: h.now() + 1_000, messageId };
        const listed = await h.stores.schedule.list(QUEUE, { after, count: 10 });
        expect(listed.map((one) => one.messageId)).toEqual(sorted.slice(i + 1));
      }
    });

    it('lists nothing where there is no such queue', async () => {
      const nowhere = { topic: 'nowhere', queue: 0 };
      expect(await h.stores.schedule.list(nowhere, { count: 10 })).toEqual([]);
    });

    it('cancels a scheduled message, once', async () => {
      const id = await schedule('a', 1_000);
      await schedule('b', 1_000);
      expect(await h.stores.schedule.cancel(QUEUE, id)).toBe(true);
      expect(await h.stores.schedule.cancel(QUEUE, id)).toBe(false);
      expect(await h.stores.schedule.find(QUEUE, id)).toBeUndefined();
      expect(await h.stores.schedule.count(QUEUE)).toBe(1);
      await h.advance(1_000);
      await release();
      expect(await logTexts(h.stores)).toEqual(['b']);
    });

    it('moves a scheduled message to an earlier or a later time', async () => {
      const a = await schedule('a', 1_000);
      const b = await schedule('b', 1_000);
      expect(await h.stores.schedule.reschedule(QUEUE, a, { delayMs: 5_000 })).toBe(true);
      expect(await h.stores.schedule.reschedule(QUEUE, b, { at: h.now() + 500 })).toBe(true);
      expect((await h.stores.schedule.find(QUEUE, a))?.dueAt).toBe(h.now() + 5_000);
      await h.advance(500);
      expect(await release()).toEqual({ released: 1, nextDueAt: h.now() + 4_500, now: h.now() });
      await h.advance(4_500);
      await release();
      expect(await logTexts(h.stores)).toEqual(['b', 'a']);
    });

    it('releases with the next call what was moved to a time that has passed', async () => {
      const a = await schedule('a', 60_000);
      await h.stores.schedule.reschedule(QUEUE, a, { at: h.now() - 1 });
      expect(await release()).toMatchObject({ released: 1 });
    });

    it('cancels and moves nothing that was released or never scheduled', async () => {
      const a = await schedule('a', 10);
      await h.advance(10);
      await release();
      const unknown = frameMessageId(entryOf('x').frame);
      const elsewhere = { topic: 'orders', queue: 1 };
      const b = await schedule('b', 10_000);
      for (const [ref, id] of [
        [QUEUE, a],
        [QUEUE, unknown],
        [elsewhere, b],
        [{ topic: 'nowhere', queue: 0 }, b],
      ] as const) {
        expect(await h.stores.schedule.cancel(ref, id)).toBe(false);
        expect(await h.stores.schedule.reschedule(ref, id, { delayMs: 1 })).toBe(false);
        expect(await h.stores.schedule.find(ref, id)).toBeUndefined();
      }
      expect(await h.stores.schedule.count(QUEUE)).toBe(1);
      expect(await logTexts(h.stores)).toEqual(['a']);
    });

    it('counts per queue, and nothing where there is no such queue', async () => {
      await publish(h.stores, [later('a', 10), later('b', 10)]);
      expect(await h.stores.schedule.count(QUEUE)).toBe(2);
      expect(await h.stores.schedule.count({ topic: 'orders', queue: 1 })).toBe(0);
      expect(await h.stores.schedule.count({ topic: 'nowhere', queue: 0 })).toBe(0);
      expect(await h.stores.schedule.releaseDue({ topic: 'nowhere', queue: 0 }, 10)).toMatchObject({
        released: 0,
        nextDueAt: null,
      });
    });
  });
}
