import { storedAt } from '../../lib/core/message/offset.js';
import { type OpenHarness, useHarness } from './harness.js';
import {
  AUDIT,
  BILLING,
  frameIn,
  declare,
  entryOf,
  join,
  numbered,
  offsetOf,
  publish,
  publishTexts,
  QUEUE,
  text,
  texts,
} from './messages.js';

export function describeDeadLetterStore(open: OpenHarness): void {
  describe('DeadLetterStore', () => {
    const h = useHarness(open);
    const letters = () => h.stores.deadLetters.list(BILLING, { count: 1_000 });
    /** Publishes and gives up on each at once; answers the dead letters. */
    const bury = async (...bodies: string[]) => {
      await publishTexts(h.stores, bodies);
      const consumer = h.consumer(BILLING, 'undertaker');
      for (const entry of await consumer.read())
        await consumer.deadLetter(entry, `note of ${text(entry)}`);
      return letters();
    };
    beforeEach(async () => {
      await declare(h.stores);
      await join(h.stores, 'billing');
      await join(h.stores, 'audit');
    });

    it('keeps a copy of what a group gave up on: bytes, place and note', async () => {
      const entry = entryOf(Buffer.from([0, 255, 10, 13, 128]));
      const [result] = await publish(h.stores, [entry]);
      const consumer = h.consumer(BILLING, 'c');
      const note = '{"reason":"ü\\u0000","at":1}\n|';
      await consumer.deadLetter(await consumer.readOne(), note);
      const [letter, ...more] = await letters();
      expect(more).toEqual([]);
      expect(letter).toMatchObject({ ...BILLING, offset: offsetOf(result), note });
      expect(frameIn(letter!.content).equals(entry.frame)).toBe(true);
    });

    it('keeps entries of other programs field by field', async () => {
      const fields = ['b', Buffer.from([0, 255]), 'b', ''].map((field) => Buffer.from(field));
      await h.tamper.addForeign(QUEUE, fields);
      const consumer = h.consumer(BILLING, 'c');
      await consumer.deadLetter(await consumer.readOne());
      expect((await letters())[0]?.content).toEqual({ kind: 'foreign', fields });
    });

    it('keeps the copy when the message is trimmed', async () => {
      await bury('a', 'b');
      await h.stores.topics.removeGroup('orders', 'audit');
      await h.advance(100 * 86_400_000);
      expect(await h.stores.log.trim(QUEUE, 100)).toBeGreaterThan(0);
      expect(texts(await letters())).toEqual(['a', 'b']);
    });

    it('keeps the groups apart', async () => {
      await bury('a');
      expect(await h.stores.deadLetters.count(BILLING)).toBe(1);
      expect(await h.stores.deadLetters.count(AUDIT)).toBe(0);
      expect(await h.stores.deadLetters.list(AUDIT, { count: 10 })).toEqual([]);
      expect(texts(await h.consumer(AUDIT, 'c').read())).toEqual(['a']);
    });

    it('lists page by page in order', async () => {
      const all = await bury(...numbered(5));
      expect(texts(all)).toEqual(numbered(5));
      expect(new Set(all.map(({ id }) => id)).size).toBe(5);
      const first = await h.stores.deadLetters.list(BILLING, { count: 2 });
      expect(texts(first)).toEqual(['m1', 'm2']);
      const second = await h.stores.deadLetters.list(BILLING, { after: first[1]!.id, count: 2 });
      expect(texts(second)).toEqual(['m3', 'm4']);
      expect(await h.stores.deadLetters.list(BILLING, { after: all[4]!.id, count: 2 })).toEqual([]);
    });

    it('finds one by its id', async () => {
      const [, second] = await bury('a', 'b');
      expect(await h.stores.deadLetters.get(BILLING, second!.id)).toEqual(second);
      expect(await h.stores.deadLetters.get(AUDIT, second!.id)).toBeUndefined();
      expect(await h.stores.deadLetters.get(BILLING, '1-1')).toBeUndefined();
    });

    it('removes what it is told and says how many were there', async () => {
      const [a, b, c] = await bury('a', 'b', 'c');
      expect(await h.stores.deadLetters.remove(BILLING, [a!.id, c!.id, '1-1'])).toBe(2);
      expect(await h.stores.deadLetters.remove(BILLING, [a!.id])).toBe(0);
      expect(await h.stores.deadLetters.remove(BILLING, [])).toBe(0);
      expect(await letters()).toEqual([b]);
    });

    it('counts a thousand', async () => {
      await bury(...numbered(100));
      expect(await h.stores.deadLetters.count(BILLING)).toBe(100);
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ deadLetters: 100 });
    });

    it('knows nothing where there is no such queue', async () => {
      const ref = { topic: 'nowhere', queue: 0, group: 'billing' };
      expect(await h.stores.deadLetters.list(ref, { count: 1 })).toEqual([]);
      expect(await h.stores.deadLetters.count(ref)).toBe(0);
      expect(await h.stores.deadLetters.get(ref, '1-1')).toBeUndefined();
      expect(await h.stores.deadLetters.redrive(ref, '1-1')).toBeUndefined();
      expect(await h.stores.deadLetters.remove(ref, ['1-1'])).toBe(0);
    });

    it('redrives: the message is appended again for its group, the dead letter is gone', async () => {
      const [letter] = await bury('a');
      const offset = await h.stores.deadLetters.redrive(BILLING, letter!.id);
      expect(storedAt(offset!)).toBeGreaterThanOrEqual(storedAt(letter!.offset));
      expect(offset).not.toBe(letter!.offset);
      expect(await letters()).toEqual([]);
      const again = await h.consumer(BILLING, 'c').readOne();
      expect(again).toMatchObject({
        offset,
        attempt: 1,
        deliveryCount: 1,
        suspect: false,
        history: '',
      });
      expect(again.content).toMatchObject({ kind: 'message', only: 'billing' });
      expect(frameIn(again.content).equals(frameIn(letter!.content))).toBe(true);
    });

    it('redrives once', async () => {
      const [letter] = await bury('a');
      const other = await h.sibling();
      const offsets = await Promise.all(
        [h.stores, other, h.stores].map((stores) =>
          stores.deadLetters.redrive(BILLING, letter!.id),
        ),
      );
      expect(offsets.filter((offset) => offset !== undefined)).toHaveLength(1);
      expect(await h.stores.log.extent(QUEUE)).toMatchObject({ length: 2 });
    });

    it('shows other groups whom a redriven message is for, and does not count it for them', async () => {
      const [letter] = await bury('a');
      const audit = h.consumer(AUDIT, 'c');
      await audit.ack(await audit.readOne());
      await h.stores.deadLetters.redrive(BILLING, letter!.id);
      await publishTexts(h.stores, ['b']);
      expect(await h.stores.deliveries.lag(AUDIT)).toMatchObject({ undelivered: 1 });
      expect(await h.stores.deliveries.lag(BILLING)).toMatchObject({ undelivered: 2 });
      const entries = await audit.read();
      expect(entries.map(({ content }) => content.kind === 'message' && content.only)).toEqual([
        'billing',
        null,
      ]);
      expect(await audit.ack(...entries)).toEqual(['settled', 'settled']);
      expect(await h.stores.deliveries.lag(AUDIT)).toMatchObject({ undelivered: 0, inFlight: 0 });
    });

    it('redrives again what failed again', async () => {
      let [letter] = await bury('a');
      for (let round = 1; round <= 3; round++) {
        await h.stores.deadLetters.redrive(BILLING, letter!.id);
        const consumer = h.consumer(BILLING, 'c');
        const entry = await consumer.readOne();
        expect(entry).toMatchObject({ attempt: 1, content: { only: 'billing' } });
        await consumer.deadLetter(entry, `round ${round}`);
        [letter] = await letters();
        expect(letter).toMatchObject({ note: `round ${round}`, offset: entry.offset });
      }
    });

    it('redrives also when the topic is full', async () => {
      const [letter] = await bury('a');
      await h.stores.topics.alter('orders', { maxLength: 1 });
      expect(await h.stores.deadLetters.redrive(BILLING, letter!.id)).toBeDefined();
    });

    it('wakes a waiting reader by a redrive', async () => {
      const [letter] = await bury('a');
      const reading = h.consumer(BILLING, 'c').read({ blockMs: 20_000 });
      await h.advance(5);
      await h.stores.deadLetters.redrive(BILLING, letter!.id);
      expect(texts(await reading)).toEqual(['a']);
    });
  });
}
