import type { AppendReply } from '../../lib/core/store/message-log.js';
import { type OpenHarness, useHarness } from './harness.js';
import { declare, logTexts, QUEUE, resultsOf } from './messages.js';
import { appendCall, callOf, type Numbers } from './append-call.js';

const DAY_MS = 24 * 3_600_000;

export function describeReopen(open: OpenHarness): void {
  describe('MessageLog.reopen', () => {
    const h = useHarness(open);
    const append = (numbers: Numbers, ...bodies: string[]): Promise<AppendReply> =>
      appendCall(h.stores, callOf(numbers, bodies));
    const reopen = (epoch: number, asked: { epoch: number; number: number }[]) =>
      h.stores.log.reopen({ ...QUEUE, session: 'p', epoch, asked });
    beforeEach(() => declare(h.stores));

    it('tells which calls were carried out and which never will be', async () => {
      const one = await append({ number: 1 }, 'one', 'and more');
      const two = await append({ number: 2 }, 'two');
      const asked = [1, 2, 3].map((number) => ({ epoch: 1, number }));
      expect(await reopen(2, asked)).toEqual({
        state: 'open',
        answers: [resultsOf(one), resultsOf(two), 'never'],
      });
    });

    it('can tell about five calls in flight', async () => {
      const answers = [];
      for (let number = 1; number <= 7; number++)
        answers.push(resultsOf(await append({ number }, `${number}`)));
      const asked = [3, 4, 5, 6, 7].map((number) => ({ epoch: 1, number }));
      expect(await reopen(2, asked)).toEqual({ state: 'open', answers: answers.slice(2) });
    });

    it('fences every older call: an abandoned one that arrives late changes nothing', async () => {
      await append({ number: 1 }, 'one');
      await reopen(2, [{ epoch: 1, number: 2 }]);
      expect(await append({ number: 2 }, 'two')).toEqual({ state: 'fenced' });
      expect(await append({ number: 1 }, 'one')).toEqual({ state: 'fenced' });
      expect(await logTexts(h.stores)).toEqual(['one']);
    });

    it('numbers calls of the new epoch from 1', async () => {
      await append({ number: 1 }, 'one');
      await append({ number: 2 }, 'two');
      await reopen(2, []);
      expect(await append({ epoch: 2, number: 2 }, 'x')).toEqual({ state: 'gap' });
      expect(await append({ epoch: 2, number: 1 }, 'three')).toMatchObject({
        state: 'appended',
        repeat: false,
      });
      expect(await append({ epoch: 2, number: 1 }, 'three')).toMatchObject({
        state: 'appended',
        repeat: true,
      });
      expect(await logTexts(h.stores)).toEqual(['one', 'two', 'three']);
    });

    it('answers the same when it is repeated', async () => {
      await append({ number: 1 }, 'one');
      const asked = [1, 2].map((number) => ({ epoch: 1, number }));
      const first = await reopen(2, asked);
      expect(await reopen(2, asked)).toEqual(first);
      expect(await append({ epoch: 2, number: 1 }, 'two')).toMatchObject({ repeat: false });
    });

    it('keeps the calls of the new epoch when a repeat arrives late', async () => {
      await append({ number: 1 }, 'one');
      await reopen(2, []);
      await append({ epoch: 2, number: 1 }, 'two');
      await reopen(2, []);
      expect(await append({ epoch: 2, number: 1 }, 'two')).toMatchObject({ repeat: true });
      expect(await append({ epoch: 2, number: 2 }, 'three')).toMatchObject({ repeat: false });
    });

    it('never goes back to an older epoch', async () => {
      await append({ number: 1 }, 'one');
      await reopen(3, []);
      await reopen(2, []);
      expect(await append({ epoch: 2, number: 1 }, 'x')).toEqual({ state: 'fenced' });
      expect(await append({ epoch: 3, number: 1 }, 'y')).toMatchObject({ state: 'appended' });
    });

    it('tells about calls of several epochs', async () => {
      const one = resultsOf(await append({ number: 1 }, 'one'));
      await reopen(2, []);
      const two = resultsOf(await append({ epoch: 2, number: 1 }, 'two'));
      const asked = [
        { epoch: 1, number: 1 },
        { epoch: 2, number: 1 },
        { epoch: 2, number: 2 },
      ];
      expect(await reopen(3, asked)).toEqual({ state: 'open', answers: [one, two, 'never'] });
    });

    it('forgets a session that nobody used for a day, itself and when it is asked about', async () => {
      const unknown = { state: 'new-session' };
      await append({ number: 1 }, 'one');
      await h.advance(DAY_MS);
      expect(await append({ number: 2 }, 'two')).toMatchObject({ state: 'appended' });
      await h.advance(DAY_MS + 1);
      expect(await append({ number: 3 }, 'three')).toEqual(unknown);
      await append({ number: 1 }, 'four');
      await h.advance(DAY_MS + 1);
      expect(await reopen(2, [{ epoch: 1, number: 1 }])).toEqual(unknown);
    });

    it('answers "new-session" when it knows nothing, and opens it in the new epoch', async () => {
      expect(await reopen(2, [{ epoch: 1, number: 1 }])).toEqual({ state: 'new-session' });
      expect(await append({ epoch: 1, number: 1 }, 'old')).toEqual({ state: 'fenced' });
      expect(await append({ epoch: 2, number: 1 }, 'new')).toMatchObject({
        state: 'appended',
        repeat: false,
      });
      expect(await logTexts(h.stores)).toEqual(['new']);
    });

    it('does not claim to know more when such a call is repeated', async () => {
      await reopen(2, [{ epoch: 1, number: 1 }]);
      expect(await reopen(2, [{ epoch: 1, number: 1 }])).toEqual({ state: 'new-session' });
    });
  });
}
