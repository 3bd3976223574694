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
    const deciding = decideInTime(['known', 'late'], async (_, found) => {
      found.set('known', 'commit');
      await hanging;
      found.set('late', 'commit');
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
  });

  it('leave no timer behind', async () => {
    jest.useFakeTimers();
    await decideInTime(['one'], async () => undefined);
    expect(jest.getTimerCount()).toBe(0);
  });
});
