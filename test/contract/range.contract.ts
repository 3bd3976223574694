import { type OpenHarness, useHarness } from './harness.js';
import { declare, entryOf, publish, publishTexts, QUEUE, texts } from './messages.js';

export function describeRange(open: OpenHarness): void {
  describe('MessageLog.range and extent', () => {
    const h = useHarness(open);
    beforeEach(() => declare(h.stores));

    it('reads between two offsets, both included', async () => {
      const [, b, , d] = await publishTexts(h.stores, ['a', 'b', 'c', 'd', 'e']);
      const range = { ...QUEUE, from: b!, to: d!, count: 10 };
      expect(texts(await h.stores.log.range(range))).toEqual(['b', 'c', 'd']);
      expect(texts(await h.stores.log.range({ ...range, reverse: true }))).toEqual(['d', 'c', 'b']);
      expect(texts(await h.stores.log.range({ ...range, from: d!, to: b! }))).toEqual([]);
    });

    it('reads at most `count`, from the newest when reversed', async () => {
      await publishTexts(h.stores, ['a', 'b', 'c']);
      const all = { ...QUEUE, from: '-', to: '+', count: 2 };
      expect(texts(await h.stores.log.range(all))).toEqual(['a', 'b']);
      expect(texts(await h.stores.log.range({ ...all, reverse: true }))).toEqual(['c', 'b']);
    });

    it('shows entries of other programs field by field', async () => {
      const fields = ['name', Buffer.from([0, 255, 10]), 'b', 'x', 'name', 'twice'].map((field) =>
        Buffer.from(field),
      );
      const offset = await h.tamper.addForeign(QUEUE, fields);
      const [entry] = await h.stores.log.range({ ...QUEUE, from: '-', to: '+', count: 1 });
      expect(entry).toEqual({ ...QUEUE, offset, content: { kind: 'foreign', fields } });
    });

    it('tells length, first and last offset', async () => {
      expect(await h.stores.log.extent(QUEUE)).toEqual({ length: 0, first: null, last: null });
      const offsets = await publishTexts(h.stores, ['a', 'b', 'c']);
      await publish(h.stores, [entryOf('later', { due: { delayMs: 1_000 } })]);
      expect(await h.stores.log.extent(QUEUE)).toEqual({
        length: 3,
        first: offsets[0],
        last: offsets[2],
      });
    });

    it('finds nothing where there is no such queue', async () => {
      const ref = { topic: 'nowhere', queue: 0 };
      expect(await h.stores.log.range({ ...ref, from: '-', to: '+', count: 1 })).toEqual([]);
      expect(await h.stores.log.extent(ref)).toEqual({ length: 0, first: null, last: null });
    });
  });
}
