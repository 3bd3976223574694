import type { Attempt } from '../../../lib/core/consumer/attempt.js';
import { InHand } from '../../../lib/core/consumer/in-hand.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

describe('InHand', () => {
  it('has one timer, also when a timeout makes room for another attempt', async () => {
    const clock = new ManualClock();
    const late: number[] = [];
    const attemptNow = (): Attempt => ({ startedAt: clock.monotonic() }) as Attempt;
    const inHand: InHand = new InHand({
      clock,
      handlerTimeoutMs: 100,
      onTimeout: (attempt) => {
        late.push(attempt.startedAt);
        inHand.remove(attempt);
        if (late.length < 3) inHand.add(attemptNow());
      },
    });
    inHand.add(attemptNow());
    await clock.advance(30);
    inHand.add(attemptNow());
    await clock.advance(75);
    expect(clock.armed).toBe(1);
    await clock.advance(1_000);
    expect(late).toEqual([0, 30, 100, 130]);
    inHand.add(attemptNow());
    inHand.stop();
    expect(clock.armed).toBe(0);
  });
});
