import { frameMessageId } from '../../lib/core/message/wire-format.js';
import { type OpenHarness, useHarness } from './harness.js';
import { declare, entryOf, logTexts, offsetOf, publish, QUEUE } from './messages.js';
import { appendCall, callOf } from './append-call.js';

export function describeDedup(open: OpenHarness): void {
  describe('MessageLog.append with a dedup id', () => {
    const h = useHarness(open);
    beforeEach(() => declare(h.stores, { dedupWindowMs: 60_000 }));

    it('answers with the first message and stores nothing within the window', async () => {
      const first = entryOf('first', { dedupId: 'pay-17' });
      const [stored] = await publish(h.stores, [first]);
      await h.advance(59_000);
      expect(await publish(h.stores, [entryOf('second', { dedupId: 'pay-17' }), 'other'])).toEqual([
        { state: 'duplicate', messageId: frameMessageId(first.frame), offset: offsetOf(stored) },
        expect.objectContaining({ state: 'stored' }),
      ]);
      expect(await logTexts(h.stores)).toEqual(['first', 'other']);
    });

    it('forgets the dedup id after the window, counted from the first message', async () => {
      await publish(h.stores, [entryOf('first', { dedupId: 'pay-17' })]);
      await h.advance(40_000);
      await publish(h.stores, [entryOf('second', { dedupId: 'pay-17' })]);
      await h.advance(21_000);
      const [third] = await publish(h.stores, [entryOf('third', { dedupId: 'pay-17' })]);
      expect(third?.state).toBe('stored');
      expect(await logTexts(h.stores)).toEqual(['first', 'third']);
    });

    it('answers offset null when the first message was scheduled', async () => {
      const first = entryOf('first', { dedupId: 'd', due: { delayMs: 1_000 } });
      await publish(h.stores, [first]);
      const duplicate = {
        state: 'duplicate',
        messageId: frameMessageId(first.frame),
        offset: null,
      };
      expect(await publish(h.stores, [entryOf('second', { dedupId: 'd' })])).toEqual([duplicate]);
      await h.advance(1_000);
      await h.stores.schedule.releaseDue(QUEUE, 10);
      expect(await publish(h.stores, [entryOf('third', { dedupId: 'd' })])).toEqual([duplicate]);
      expect(await logTexts(h.stores)).toEqual(['first']);
    });

    it('finds a duplicate within one call', async () => {
      const first = entryOf('first', { dedupId: 'd' });
      const results = await publish(h.stores, [first, entryOf('second', { dedupId: 'd' })]);
      expect(results[1]).toEqual({
        state: 'duplicate',
        messageId: frameMessageId(first.frame),
        offset: offsetOf(results[0]),
      });
    });

    it('answers the repeat of the first call as the first time, not as a duplicate', async () => {
      const call = callOf({ number: 1 }, [entryOf('first', { dedupId: 'd' })]);
      const first = await appendCall(h.stores, call);
      expect(await appendCall(h.stores, call)).toEqual({ ...first, repeat: true });
    });

    it('tells dedup ids apart byte for byte', async () => {
      const ids = ['a', 'A', 'a:b', 'a b', '{a}', 'ä', '*'];
      const results = await publish(
        h.stores,
        ids.map((dedupId) => entryOf(dedupId, { dedupId })),
      );
      expect(results.map(({ state }) => state)).toEqual(ids.map(() => 'stored'));
    });
  });
}
