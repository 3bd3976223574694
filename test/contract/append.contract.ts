import { StoreUnavailableError } from '../../lib/core/message/errors.js';
import { jsonFrame } from '../../lib/core/message/frame.js';
import { compareOffsets } from '../../lib/core/message/offset.js';
import { frameMessageId } from '../../lib/core/message/wire-format.js';
import type { AppendReply } from '../../lib/core/store/message-log.js';
import { type OpenHarness, useHarness } from './harness.js';
import {
  bodyIn,
  bodyOf,
  declare,
  entryOf,
  frameIn,
  generationOf,
  logTexts,
  numbered,
  publish,
  publishTexts,
  QUEUE,
  resultsOf,
  texts,
} from './messages.js';
import { appendCall, callOf, type Numbers } from './append-call.js';

export function describeAppend(open: OpenHarness): void {
  describe('MessageLog.append', () => {
    const h = useHarness(open);
    const append = (numbers: Numbers, ...bodies: string[]): Promise<AppendReply> =>
      appendCall(h.stores, callOf(numbers, bodies));
    beforeEach(() => declare(h.stores, { queues: 2 }));

    it('stores the entries of a call in order, with growing offsets', async () => {
      const first = await publishTexts(h.stores, ['a', 'b', 'c']);
      const second = await publishTexts(h.stores, ['d']);
      const offsets = [...first, ...second];
      expect([...offsets].sort(compareOffsets)).toEqual(offsets);
      expect(new Set(offsets).size).toBe(4);
      const stored = await h.stores.log.range({ ...QUEUE, from: '-', to: '+', count: 10 });
      expect(texts(stored)).toEqual(['a', 'b', 'c', 'd']);
      expect(stored.map(({ offset }) => offset)).toEqual(offsets);
      expect(stored[0]).toMatchObject({ ...QUEUE, content: { kind: 'message', only: null } });
    });

    it('gives growing offsets also within one millisecond', async () => {
      const calls = await Promise.all(numbered(50).map((body) => publishTexts(h.stores, [body])));
      expect(new Set(calls.flat()).size).toBe(50);
      const stored = await h.stores.log.range({ ...QUEUE, from: '-', to: '+', count: 100 });
      const offsets = stored.map(({ offset }) => offset);
      expect([...offsets].sort(compareOffsets)).toEqual(offsets);
    });

    it.each([
      ['every byte value', Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
      ['nothing', Buffer.alloc(0)],
      ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe, 0x00, 0x0d, 0x0a, 0xc3])],
      ['one megabyte', Buffer.alloc(1024 * 1024, 'x\0é')],
    ])('keeps header and body byte for byte: %s', async (_, body) => {
      const entry = entryOf(body);
      await publish(h.stores, [entry]);
      const [stored] = await h.stores.log.range({ ...QUEUE, from: '-', to: '+', count: 1 });
      expect(frameIn(stored!.content).equals(entry.frame)).toBe(true);
      expect(bodyIn(stored!.content).equals(body)).toBe(true);
    });

    it('takes frames out of a pool, and the same bytes when the call is repeated', async () => {
      const bodies = ['plain', 'größer ✓ 𝄞', ''];
      const entries = bodies.map((text) => ({
        frame: jsonFrame({ key: text }, text, { now: 1_700_000_000_000, mostBytes: 100 })!,
      }));
      const generation = await generationOf(h.stores, 'orders');
      const call = { ...QUEUE, generation, session: 'pooled', epoch: 1, number: 1, entries };
      const first = resultsOf(await h.stores.log.append(call));
      expect(resultsOf(await h.stores.log.append(call))).toEqual(first);
      await h.stores.log.append({ ...call, number: 2 });
      const stored = await h.stores.log.range({ ...QUEUE, from: '-', to: '+', count: 9 });
      const texts = bodies.map((text) => JSON.stringify(text));
      expect(stored.map(({ content }) => bodyIn(content).toString())).toEqual([...texts, ...texts]);
      const ids = entries.map(({ frame }) => frame.messageId);
      expect(stored.map(({ content }) => frameMessageId(frameIn(content)))).toEqual([
        ...ids,
        ...ids,
      ]);
      expect([...new Set(ids)].sort()).toEqual(ids);
    });

    it('is not changed by what happens to the buffers afterwards', async () => {
      const entry = entryOf('before');
      const delayed = entryOf('before', { due: { delayMs: 10 } });
      await publish(h.stores, [entry, delayed]);
      entry.frame.fill(0);
      const id = frameMessageId(delayed.frame);
      delayed.frame.fill(0);
      expect(await logTexts(h.stores)).toEqual(['before']);
      const found = await h.stores.schedule.find(QUEUE, id);
      expect(bodyOf(found!.frame).toString()).toBe('before');
    });

    it('stores a thousand entries in one call', async () => {
      const offsets = await publishTexts(h.stores, numbered(1_000));
      expect(new Set(offsets).size).toBe(1_000);
      expect(await logTexts(h.stores)).toEqual(numbered(1_000));
    });

    it('answers a repeated call with the first answer and stores nothing', async () => {
      const call = callOf({ number: 1 }, ['a', 'b']);
      const first = await appendCall(h.stores, call);
      expect(first).toMatchObject({ state: 'appended', repeat: false });
      expect(await appendCall(h.stores, call)).toEqual({ ...first, repeat: true });
      expect(await appendCall(h.stores, call)).toEqual({ ...first, repeat: true });
      expect(await logTexts(h.stores)).toEqual(['a', 'b']);
    });

    it('carries a call out once when it arrives twice at the same time', async () => {
      const other = await h.sibling();
      const call = callOf({ number: 1 }, ['a']);
      const replies = await Promise.all([appendCall(h.stores, call), appendCall(other, call)]);
      const repeats = replies.filter((reply) => reply.state === 'appended' && reply.repeat);
      expect(repeats).toHaveLength(1);
      expect(resultsOf(replies[0]!)).toEqual(resultsOf(replies[1]!));
      expect(await logTexts(h.stores)).toEqual(['a']);
    });

    it('still knows the answers of the last five calls', async () => {
      const firstAnswers = [];
      for (let number = 1; number <= 7; number++)
        firstAnswers.push(await append({ number }, `call ${number}`));
      for (let number = 3; number <= 7; number++)
        expect(await append({ number }, `call ${number}`)).toEqual({
          ...firstAnswers[number - 1],
          repeat: true,
        });
      expect(await h.stores.log.extent(QUEUE)).toMatchObject({ length: 7 });
    });

    it('stores a call again on no account, also one older than the last five', async () => {
      for (let number = 1; number <= 6; number++) await append({ number }, `call ${number}`);
      await expect(append({ number: 1 }, 'call 1')).rejects.toBeInstanceOf(StoreUnavailableError);
      expect(await h.stores.log.extent(QUEUE)).toMatchObject({ length: 6 });
    });

    it('answers "gap" while an earlier call is missing, and carries it out once that has arrived', async () => {
      await append({ number: 1 }, 'one');
      expect(await append({ number: 3 }, 'three')).toEqual({ state: 'gap' });
      expect(await logTexts(h.stores)).toEqual(['one']);
      expect(await append({ number: 2 }, 'two')).toMatchObject({
        state: 'appended',
        repeat: false,
      });
      expect(await append({ number: 3 }, 'three')).toMatchObject({
        state: 'appended',
        repeat: false,
      });
      expect(await logTexts(h.stores)).toEqual(['one', 'two', 'three']);
    });

    it('answers "new-session" to a later call of a session it does not know', async () => {
      expect(await append({ number: 2 }, 'x')).toEqual({ state: 'new-session' });
      expect(await logTexts(h.stores)).toEqual([]);
    });

    it('opens an unknown session with its first call, whatever the epoch', async () => {
      expect(await append({ number: 1, epoch: 7 }, 'x')).toMatchObject({
        state: 'appended',
        repeat: false,
      });
      expect(await append({ number: 2, epoch: 7 }, 'y')).toMatchObject({
        state: 'appended',
        repeat: false,
      });
      expect(await append({ number: 1, epoch: 6 }, 'z')).toEqual({ state: 'fenced' });
    });

    it('keeps sessions apart, and the queues of one session', async () => {
      await append({ session: 'p', number: 1 }, 'p1');
      expect(await append({ session: 'q', number: 1 }, 'q1')).toMatchObject({ repeat: false });
      expect(await append({ session: 'p', number: 1, queue: 1 }, 'p1 elsewhere')).toMatchObject({
        repeat: false,
      });
      expect(await append({ session: 'p', number: 2 }, 'p2')).toMatchObject({ repeat: false });
      expect(await logTexts(h.stores)).toEqual(['p1', 'q1', 'p2']);
      expect(await logTexts(h.stores, { topic: 'orders', queue: 1 })).toEqual(['p1 elsewhere']);
    });

    it('answers "moved" with the generation of the topic, stores nothing and uses up no number', async () => {
      expect(await append({ number: 1, generation: 9 }, 'x')).toEqual({
        state: 'moved',
        generation: await generationOf(h.stores, 'orders'),
      });
      expect(await logTexts(h.stores)).toEqual([]);
      expect(await append({ number: 1 }, 'x')).toMatchObject({ state: 'appended', repeat: false });
    });

    it('answers "moved" with generation 0 where there is no such queue', async () => {
      expect(await append({ number: 1, queue: 5 }, 'x')).toEqual({ state: 'moved', generation: 0 });
      const call = { ...callOf({ number: 1 }, ['x']), topic: 'nowhere' };
      expect(await appendCall(h.stores, call)).toEqual({ state: 'moved', generation: 0 });
      expect(await h.stores.topics.list()).toEqual(['orders']);
    });

    it('schedules what is due later and shows at once what was due before', async () => {
      const results = await publish(h.stores, [
        entryOf('delayed', { due: { delayMs: 5_000 } }),
        entryOf('at', { due: { at: h.now() + 7_000 } }),
        entryOf('passed', { due: { at: h.now() - 1 } }),
        entryOf('zero', { due: { delayMs: 0 } }),
        entryOf('now'),
      ]);
      expect(results.slice(0, 2)).toEqual([
        { state: 'scheduled', dueAt: h.now() + 5_000 },
        { state: 'scheduled', dueAt: h.now() + 7_000 },
      ]);
      expect(results.slice(2).map(({ state }) => state)).toEqual(['stored', 'stored', 'stored']);
      expect(await logTexts(h.stores)).toEqual(['passed', 'zero', 'now']);
      expect(await h.stores.schedule.count(QUEUE)).toBe(2);
    });
  });
}
