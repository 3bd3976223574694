import type { LogReader } from '../../lib/core/store/message-log.js';
import type { Stores } from '../../lib/core/store/stores.js';
import { type OpenHarness, useHarness } from './harness.js';
import { declare, numbered, publishTexts, QUEUE, texts } from './messages.js';
import { nothing } from './nothing.js';

const OTHER = { topic: 'orders', queue: 1 };

export function describeLogReader(open: OpenHarness): void {
  describe('LogReader.read', () => {
    const h = useHarness(open);
    let readers: LogReader[];
    beforeEach(async () => {
      readers = [];
      await declare(h.stores, { queues: 2 });
    });
    afterEach(() => Promise.all(readers.map((reader) => reader.close())));

    const openReader = (stores: Stores = h.stores): LogReader => {
      const reader = stores.log.openReader();
      readers.push(reader);
      return reader;
    };
    const request = (options: Partial<Parameters<LogReader['read']>[0]> = {}) => ({
      positions: [{ ...QUEUE, after: '0-0' }],
      perQueue: 100,
      blockMs: 0,
      signal: new AbortController().signal,
      ...options,
    });

    it('shows every reader what stands behind its place, as often as it asks', async () => {
      const [, second] = await publishTexts(h.stores, numbered(3));
      const [one, other] = [openReader(), openReader(await h.sibling())];
      for (const reader of [one, one, other])
        expect(texts(await reader.read(request()))).toEqual(numbered(3));
      const positions = [{ ...QUEUE, after: second! }];
      const [entry, ...more] = await other.read(request({ positions }));
      expect(texts([entry!])).toEqual(['m3']);
      expect(entry).toMatchObject(QUEUE);
      expect(more).toEqual([]);
    });

    it('takes at most `perQueue` from each queue', async () => {
      for (const ref of [QUEUE, OTHER])
        await publishTexts(h.stores, numbered(3, `q${ref.queue}-`), ref);
      const reader = openReader();
      let left = [QUEUE, OTHER].map((ref) => ({ ...ref, after: '0-0' }));
      const entries: Awaited<ReturnType<LogReader['read']>> = [];
      // Queues on different nodes may answer one after the other.
      while (left.length > 0) {
        const some = await reader.read(request({ positions: left, perQueue: 2 }));
        entries.push(...some);
        left = left.filter(({ queue }) => some.every((entry) => entry.queue !== queue));
      }
      expect(texts(entries).toSorted()).toEqual(['q0-1', 'q0-2', 'q1-1', 'q1-2']);
    });

    it('shows entries of other programs as they are', async () => {
      const fields = ['a', 'b'].map((field) => Buffer.from(field));
      const offset = await h.tamper.addForeign(QUEUE, fields);
      expect(await openReader().read(request())).toEqual([
        { ...QUEUE, offset, content: { kind: 'foreign', fields } },
      ]);
    });

    it('finds nothing where there is no such queue', async () => {
      const positions = [{ topic: 'nowhere', queue: 0, after: '0-0' }];
      expect(await openReader().read(request({ positions }))).toEqual([]);
      expect(await openReader().read(request({ positions: [] }))).toEqual([]);
    });

    it('waits for a message in any of its queues', async () => {
      const positions = [QUEUE, OTHER].map((ref) => ({ ...ref, after: '0-0' }));
      const reading = openReader(await h.sibling()).read(request({ positions, blockMs: 20_000 }));
      await h.advance(5);
      await publishTexts(h.stores, ['a'], OTHER);
      expect(texts(await reading)).toEqual(['a']);
    });

    it('stops waiting after `blockMs`', async () => {
      const reading = openReader().read(request({ blockMs: 20 }));
      await h.advance(20);
      expect(await reading).toEqual([]);
    });

    it('stops waiting when the signal aborts, and can read again', async () => {
      const reader = openReader();
      const aborter = new AbortController();
      const reading = reader.read(request({ blockMs: 20_000, signal: aborter.signal }));
      await h.advance(5);
      aborter.abort();
      expect(await nothing(reading)).toEqual([]);
      await publishTexts(h.stores, ['a']);
      expect(texts(await reader.read(request()))).toEqual(['a']);
    });

    it('ends a waiting read on close and reads nothing afterwards', async () => {
      const reader = openReader();
      const reading = reader.read(request({ blockMs: 20_000 }));
      await h.advance(5);
      await reader.close();
      expect(await nothing(reading)).toEqual([]);
      expect(await nothing(reader.read(request()))).toEqual([]);
    });
  });
}
