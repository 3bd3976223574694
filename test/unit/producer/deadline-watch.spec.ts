import { DeadlineWatch } from '../../../lib/core/producer/deadline-watch.js';
import { ManualClock } from '../../../lib/testing/index.js';

describe('DeadlineWatch', () => {
  let clock: ManualClock;
  let deadlines: number[];
  let swept: number[];
  let watch: DeadlineWatch;

  beforeEach(() => {
    clock = new ManualClock();
    deadlines = [];
    swept = [];
    watch = new DeadlineWatch({
      clock,
      sweep: (now) => {
        swept.push(now);
        deadlines = deadlines.filter((deadline) => deadline > now);
        return Math.min(...deadlines);
      },
    });
  });

  const watchFor = (...inMs: number[]): void => {
    for (const ms of inMs) {
      const deadline = clock.monotonic() + ms;
      deadlines.push(deadline);
      watch.watch(deadline);
    }
  };

  it('sweeps at each deadline, in whatever order they came', async () => {
    const from = clock.monotonic();
    watchFor(300, 100, 200);
    await clock.advance(1_000);
    expect(swept.map((at) => at - from)).toEqual([100, 200, 300]);
    expect(clock.armed).toBe(0);
  });

  it('has one timer for all of them, which is not begun anew for a later one', async () => {
    watchFor(100);
    deadlines = [];
    await clock.advance(50);
    watchFor(100);
    expect(clock.armed).toBe(1);
    await clock.advance(50);
    // For the one that was done in time; then for the other.
    expect(swept).toHaveLength(1);
    await clock.advance(50);
    expect(swept).toHaveLength(2);
    expect(deadlines).toEqual([]);
  });

  it('has no timer once it is closed', () => {
    watchFor(100);
    watch.close();
    watchFor(50);
    expect(clock.armed).toBe(0);
  });
});
