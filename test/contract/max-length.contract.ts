import { type OpenHarness, useHarness } from './harness.js';
import { declare, entryOf, logTexts, numbered, publish, QUEUE, resultsOf } from './messages.js';
import { appendCall, callOf } from './append-call.js';

export function describeMaxLength(open: OpenHarness): void {
  describe('MessageLog.append to a topic with maxLength', () => {
    const h = useHarness(open);
    beforeEach(() => declare(h.stores, { maxLength: 3 }));

    it('answers "full" for the entries that do not fit and stores the others', async () => {
      const results = await publish(h.stores, numbered(5));
      expect(results.map(({ state }) => state)).toEqual([
        'stored',
        'stored',
        'stored',
        'full',
        'full',
      ]);
      expect(await logTexts(h.stores)).toEqual(['m1', 'm2', 'm3']);
    });

    it('counts scheduled messages', async () => {
      const results = await publish(h.stores, [
        entryOf('later', { due: { delayMs: 1_000 } }),
        'a',
        entryOf('later still', { due: { delayMs: 1_000 } }),
        entryOf('too late', { due: { delayMs: 1_000 } }),
        'too much',
      ]);
      expect(results.map(({ state }) => state)).toEqual([
        'scheduled',
        'stored',
        'scheduled',
        'full',
        'full',
      ]);
    });

    it('releases scheduled messages whatever the length', async () => {
      await publish(h.stores, ['a', 'b', entryOf('later', { due: { delayMs: 1_000 } })]);
      await h.advance(1_000);
      expect(await h.stores.schedule.releaseDue(QUEUE, 10)).toMatchObject({ released: 1 });
      expect(await logTexts(h.stores)).toEqual(['a', 'b', 'later']);
    });

    it('keeps the answer "full" for a repeat, and remembers no dedup id for it', async () => {
      await publish(h.stores, numbered(3));
      const call = callOf({ number: 1 }, [entryOf('x', { dedupId: 'd' })]);
      expect(resultsOf(await appendCall(h.stores, call))).toEqual([{ state: 'full' }]);
      await h.stores.topics.alter('orders', { maxLength: 10 });
      expect(resultsOf(await appendCall(h.stores, call))).toEqual([{ state: 'full' }]);
      const [again] = await publish(h.stores, [entryOf('x', { dedupId: 'd' })]);
      expect(again?.state).toBe('stored');
    });

    it('recognizes a duplicate also when it is full', async () => {
      await publish(h.stores, ['a', 'b', entryOf('c', { dedupId: 'd' })]);
      const results = await publish(h.stores, [entryOf('c again', { dedupId: 'd' }), 'x']);
      expect(results.map(({ state }) => state)).toEqual(['duplicate', 'full']);
    });

    it('follows a changed limit at once', async () => {
      await publish(h.stores, numbered(3));
      await h.stores.topics.alter('orders', { maxLength: null });
      expect((await publish(h.stores, ['more']))[0]?.state).toBe('stored');
    });
  });
}
