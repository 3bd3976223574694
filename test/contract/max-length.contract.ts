import { type OpenHarness, useHarness } from './harness.js';
import { appendCall, callOf } from './append-call.js';
import {
  AUDIT,
  BILLING,
  declare,
  entryOf,
  join,
  logTexts,
  numbered,
  publish,
  QUEUE,
  resultsOf,
  texts,
} from './messages.js';

export function describeMaxLength(open: OpenHarness): void {
  describe('MessageLog.append to a topic with maxLength', () => {
    const h = useHarness(open);
    beforeEach(() => declare(h.stores, { maxLength: 3 }));
    const append = (number: number, entries: Parameters<typeof callOf>[1]) =>
      appendCall(h.stores, callOf({ number }, entries));

    it('answers "full" when not all of them fit, and changes nothing', async () => {
      expect(await append(1, numbered(5))).toEqual({ state: 'full', room: 3, whenFull: 'reject' });
      expect(await logTexts(h.stores)).toEqual([]);
      // The number is free to be used again, and what was sent behind it does not overtake it.
      expect(await append(2, ['behind'])).toEqual({ state: 'new-session' });
      expect(resultsOf(await append(1, numbered(2)))).toHaveLength(2);
      expect(await append(2, numbered(2))).toEqual({ state: 'full', room: 1, whenFull: 'reject' });
      expect(await append(3, ['behind'])).toEqual({ state: 'gap' });
      expect(resultsOf(await append(2, ['m3']))).toHaveLength(1);
      expect(await append(3, ['x'])).toEqual({ state: 'full', room: 0, whenFull: 'reject' });
    });

    it('counts scheduled messages', async () => {
      const later = entryOf('later', { due: { delayMs: 1_000 } });
      const results = resultsOf(await append(1, [later, 'a', entryOf('b', { due: later.due })]));
      expect(results.map(({ state }) => state)).toEqual(['scheduled', 'stored', 'scheduled']);
      expect(await append(2, [entryOf('c', { due: later.due })])).toMatchObject({
        state: 'full',
        room: 0,
      });
    });

    it('releases scheduled messages whatever the length', async () => {
      await publish(h.stores, ['a', 'b', entryOf('later', { due: { delayMs: 1_000 } })]);
      await h.advance(1_000);
      expect(await h.stores.schedule.releaseDue(QUEUE, 10)).toMatchObject({ released: 1 });
      expect(await logTexts(h.stores)).toEqual(['a', 'b', 'later']);
    });

    it('answers a repeat as the first time, and remembers no dedup id of what did not fit', async () => {
      await append(1, ['a', 'b', 'c']);
      expect(await append(2, [entryOf('x', { dedupId: 'd' })])).toMatchObject({ state: 'full' });
      expect(await append(1, ['a', 'b', 'c'])).toMatchObject({ state: 'appended', repeat: true });
      await h.stores.topics.alter('orders', { maxLength: 10 });
      const [again] = await publish(h.stores, [entryOf('x', { dedupId: 'd' })]);
      expect(again?.state).toBe('stored');
    });

    it('has room for duplicates', async () => {
      await publish(h.stores, ['a', 'b', entryOf('c', { dedupId: 'd' })]);
      const again = entryOf('c again', { dedupId: 'd' });
      expect(await publish(h.stores, [again])).toMatchObject([{ state: 'duplicate' }]);
      expect(await append(1, [again, 'x'])).toMatchObject({ state: 'full', room: 0 });
    });

    it('follows changed settings at once', async () => {
      await publish(h.stores, numbered(3));
      await h.stores.topics.alter('orders', { whenFull: 'wait' });
      expect(await append(1, ['x'])).toMatchObject({ state: 'full', whenFull: 'wait' });
      await h.stores.topics.alter('orders', { maxLength: null });
      expect((await publish(h.stores, ['more']))[0]?.state).toBe('stored');
    });
  });

  describe('MessageLog.makeRoom', () => {
    const h = useHarness(open);
    const note = '{"reason":"full","at":5,"consumer":"none"}';
    const settled = (count: number) =>
      h.stores.log.makeRoom(QUEUE, { count, drop: 'settled', note });
    const oldest = (count: number) => h.stores.log.makeRoom(QUEUE, { count, drop: 'oldest', note });
    const lettersOf = async (ref: typeof BILLING) => {
      const letters = await h.stores.deadLetters.list(ref, { count: 100 });
      return letters.map((letter) => [...texts([letter]), JSON.parse(letter.note) as unknown]);
    };
    beforeEach(() => declare(h.stores));

    it('drops what every group has settled, from the front, and no more than it is told to', async () => {
      await join(h.stores, 'billing');
      await join(h.stores, 'audit');
      await publish(h.stores, numbered(6));
      const billing = h.consumer(BILLING, 'b');
      const audit = h.consumer(AUDIT, 'a');
      await billing.ack(...(await billing.read()));
      expect(await settled(10)).toEqual({ dropped: 0, deadLetters: 0 });
      const [first, second, third, ...others] = await audit.read({ perQueue: 5 });
      await audit.ack(first!, second!, ...others);
      expect(await settled(1)).toEqual({ dropped: 1, deadLetters: 0 });
      expect(await settled(10)).toEqual({ dropped: 1, deadLetters: 0 });
      await audit.ack(third!);
      expect(await settled(10)).toEqual({ dropped: 3, deadLetters: 0 });
      expect(await logTexts(h.stores)).toEqual(['m6']);
    });

    it('drops nothing of a topic without groups that settle unless told to', async () => {
      const join = { mode: 'broadcasting', filterDigest: '', from: 'earliest' } as const;
      await h.stores.topics.joinGroup('orders', { group: 'everybody', ...join });
      await publish(h.stores, numbered(3));
      expect(await settled(10)).toEqual({ dropped: 0, deadLetters: 0 });
      expect(await oldest(2)).toEqual({ dropped: 2, deadLetters: 0 });
      expect(await logTexts(h.stores)).toEqual(['m3']);
    });

    it('keeps what a group that was lost had not settled', async () => {
      await join(h.stores, 'billing');
      await publish(h.stores, numbered(2));
      await h.tamper.dropGroup(BILLING);
      expect(await settled(10)).toEqual({ dropped: 0, deadLetters: 0 });
    });

    it('gives the oldest to each group that had not settled them, as dead letters with their history', async () => {
      await join(h.stores, 'billing');
      await join(h.stores, 'audit');
      await publish(h.stores, numbered(5));
      const consumer = h.consumer(BILLING, 'b');
      const [m1, m2, m3] = await consumer.read({ perQueue: 3 });
      await consumer.ack(m1!);
      await consumer.retry(m2!, 60_000, '["once"]');
      const facts = { reason: 'full', at: 5, consumer: 'none' };
      expect(await oldest(4)).toEqual({ dropped: 4, deadLetters: 3 + 4 });
      expect(await lettersOf(BILLING)).toEqual([
        ['m2', { ...facts, attempts: 1, history: ['once'] }],
        ['m3', { ...facts, attempts: 1, history: [] }],
        ['m4', { ...facts, attempts: 0, history: [] }],
      ]);
      const unseen = { ...facts, attempts: 0, history: [] };
      expect(await lettersOf(AUDIT)).toEqual(['m1', 'm2', 'm3', 'm4'].map((m) => [m, unseen]));

      // Whoever has one in hand learns that it is settled; nothing of them is delivered or counted any more.
      expect(await consumer.ack(m3!)).toEqual(['stale']);
      await h.advance(60_000);
      expect((await consumer.claim()).entries).toEqual([]);
      for (const ref of [BILLING, AUDIT])
        expect(await h.stores.deliveries.lag(ref)).toMatchObject({
          undelivered: 1,
          inFlight: 0,
          waiting: 0,
        });
      expect(texts(await consumer.read())).toEqual(['m5']);
    });

    it('leaves what an ordered group has in hand, and all behind it', async () => {
      const join = {
        group: 'billing',
        mode: 'ordered',
        filterDigest: '',
        from: 'earliest',
      } as const;
      await h.stores.topics.joinGroup('orders', join);
      await publish(h.stores, numbered(4));
      const consumer = h.consumer(BILLING, 'b');
      const [first, second] = await consumer.read({ perQueue: 2 });
      await consumer.ack(first!);
      expect(await oldest(10)).toEqual({ dropped: 1, deadLetters: 0 });
      await consumer.ack(second!);
      expect(await oldest(10)).toEqual({ dropped: 3, deadLetters: 2 });
    });

    it('gives a redriven message to its group only', async () => {
      await join(h.stores, 'billing');
      const consumer = h.consumer(BILLING, 'b');
      await publish(h.stores, ['a']);
      await consumer.deadLetter(await consumer.readOne());
      await join(h.stores, 'audit', 'latest');
      const [letter] = await h.stores.deadLetters.list(BILLING, { count: 1 });
      await h.stores.deadLetters.redrive(BILLING, letter!.id);
      expect(await oldest(10)).toEqual({ dropped: 2, deadLetters: 1 });
      expect(await h.stores.deadLetters.count(BILLING)).toBe(1);
      expect(await h.stores.deadLetters.count(AUDIT)).toBe(0);
    });

    it('leaves room that can be used', async () => {
      await h.stores.topics.alter('orders', { maxLength: 2 });
      await publish(h.stores, numbered(2));
      expect(await oldest(1)).toMatchObject({ dropped: 1 });
      expect(await publish(h.stores, ['m3'])).toMatchObject([{ state: 'stored' }]);
    });
  });
}
