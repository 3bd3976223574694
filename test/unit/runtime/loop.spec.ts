import { Loop } from '../../../lib/core/runtime/loop.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

describe('Loop', () => {
  let clock: ManualClock;
  let passes: number[];
  beforeEach(() => {
    clock = new ManualClock();
    passes = [];
  });

  function loop(step: (signal: AbortSignal) => Promise<number>, onError = (): void => {}): Loop {
    return new Loop({
      name: 'test',
      clock,
      onError,
      step: (signal) => {
        passes.push(clock.monotonic());
        return step(signal);
      },
    });
  }

  it('waits between passes for as long as a pass says', async () => {
    const running = loop(() => Promise.resolve(1_000)).start();
    await clock.advance(3_500);
    expect(passes).toEqual([0, 1_000, 2_000, 3_000]);
    await running.stop();
    expect(clock.armed).toBe(0);
  });

  it('begins at once when it is woken', async () => {
    const running = loop(() => Promise.resolve(60_000)).start();
    await clock.advance(100);
    running.wake();
    await clock.advance(0);
    expect(passes).toEqual([0, 100]);
    await running.stop();
  });

  it('remembers a wake that came during a pass', async () => {
    let end: ((waitMs: number) => void) | undefined;
    const running = loop(() => new Promise((resolve) => (end = resolve))).start();
    await clock.settle();
    running.wake();
    end!(60_000);
    await clock.settle();
    expect(passes).toHaveLength(2);
    end!(60_000);
    await running.stop();
  });

  it('never runs two passes at once', async () => {
    let underWay = 0;
    let most = 0;
    const running = loop(async () => {
      most = Math.max(most, ++underWay);
      await Promise.resolve();
      underWay -= 1;
      return 10;
    }).start();
    running.start();
    for (let i = 0; i < 20; i++) {
      running.wake();
      await clock.advance(3);
    }
    expect(most).toBe(1);
    await running.stop();
  });

  it('pauses longer after each failed pass in a row, and reports every one', async () => {
    let failures = 0;
    const running = loop(
      () => Promise.reject(new Error('down')),
      () => (failures += 1),
    ).start();
    await clock.advance(60_000);
    const pauses = passes.slice(1).map((at, i) => at - passes[i]!);
    expect(failures).toBe(passes.length);
    expect(pauses[0]).toBeGreaterThanOrEqual(37);
    expect(pauses[0]).toBeLessThanOrEqual(63);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(6_250);
    expect(pauses.at(-1)).toBeGreaterThanOrEqual(3_750);
    await running.stop();
  });

  it('goes on when the report of an error fails itself', async () => {
    const running = loop(
      () => Promise.reject(new Error('down')),
      () => {
        throw new Error('the logger is down, too');
      },
    ).start();
    await clock.advance(1_000);
    expect(passes.length).toBeGreaterThan(2);
    await running.stop();
  });

  it('goes on when a pass throws instead of rejecting', async () => {
    const running = loop(() => {
      throw new Error('at once');
    }).start();
    await clock.advance(1_000);
    expect(passes.length).toBeGreaterThan(2);
    await running.stop();
  });

  it('resolves its stop when the pass under way is done, and runs nothing afterwards', async () => {
    let end: (() => void) | undefined;
    let told: AbortSignal | undefined;
    const running = loop((signal) => {
      told = signal;
      return new Promise((resolve) => (end = () => resolve(0)));
    }).start();
    await clock.settle();
    let stopped = false;
    const stopping = running.stop().then(() => (stopped = true));
    await clock.settle();
    expect([told!.aborted, stopped]).toEqual([true, false]);
    end!();
    await stopping;
    running.wake();
    running.start();
    await clock.advance(60_000);
    expect(passes).toEqual([0]);
  });
});
