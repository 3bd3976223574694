import { jest } from '@jest/globals';
import type { Verdict } from '../../../lib/core/transaction/participant.js';
import { decideInTime } from '../../../lib/participants/common/decide-in-time.js';

describe('verdicts within a limit', () => {
  afterEach(() => jest.useRealTimers());

  it('are answered after ten seconds of a database that hangs, with what is known by then and no more', async () => {
    jest.useFakeTimers();
    let verdicts: Map<string, Verdict> | undefined;
    let answer = (): void => undefined;
    const hanging = new Promise<void>((resolve) => (answer = resolve));
    const told: string[] = [];
    const deciding = decideInTime({
      ids: ['known', 'late'],
      tell: ({ message }) => void told.push(message),
      async ask(_, found) {
        found.set('known', 'commit');
        await hanging;
        found.set('late', 'commit');
        throw new Error('the connection is lost');
      },
    }).then((found) => (verdicts = found));
    await jest.advanceTimersByTimeAsync(9_999);
    expect(verdicts).toBeUndefined();
    await jest.advanceTimersByTimeAsync(1);
    const found = await deciding;
    const known = [
      ['known', 'commit'],
      ['late', 'unknown'],
    ];
    expect([...found]).toEqual(known);
    answer();
    await jest.advanceTimersByTimeAsync(1);
    expect([...found]).toEqual(known);
    expect(told).toEqual(['it did not answer within 10000 ms']);
  });

  it('leave no timer behind', async () => {
    jest.useFakeTimers();
    await decideInTime({ ids: ['one'], ask: async () => undefined, tell: undefined });
    expect(jest.getTimerCount()).toBe(0);
  });

  it('of a database that fails are unknown, and whoever asked hears why', async () => {
    const failure = new Error('permission denied for table rivulet_tx');
    const told: Error[] = [];
    const found = await decideInTime({
      ids: ['one'],
      tell: (why) => void told.push(why),
      ask: () => Promise.reject(failure),
    });
    expect([...found]).toEqual([['one', 'unknown']]);
    expect(told).toEqual([failure]);
  });
});
