import { Loop } from '../../../lib/core/runtime/loop.js';
import { sleep } from '../../../lib/core/runtime/clock.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

describe('ManualClock', () => {
  it('stands still until it is moved', async () => {
    const clock = new ManualClock(1_000);
    await clock.settle();
    expect([clock.now(), clock.monotonic()]).toEqual([1_000, 0]);
    await clock.advance(250);
    expect([clock.now(), clock.monotonic()]).toEqual([1_250, 250]);
  });

  it('runs timers in the order of their times, equal ones in the order they were armed', async () => {
    const clock = new ManualClock();
    const seen: string[] = [];
    clock.after(30, () => seen.push('late'));
    clock.after(10, () => seen.push('first'));
    clock.after(10, () => seen.push('second'));
    await clock.advance(29);
    expect(seen).toEqual(['first', 'second']);
    await clock.advance(1);
    expect(seen).toEqual(['first', 'second', 'late']);
  });

  it('shows each timer the time at which it was due', async () => {
    const clock = new ManualClock(0);
    const seen: number[] = [];
    for (const delayMs of [5, 70, 20]) clock.after(delayMs, () => seen.push(clock.now()));
    await clock.advance(100);
    expect(seen).toEqual([5, 20, 70]);
    expect(clock.now()).toBe(100);
  });

  it('tells whole milliseconds, also between two of them', async () => {
    const clock = new ManualClock(1_000);
    const seen: number[] = [];
    clock.after(7.6, () => seen.push(clock.now(), clock.monotonic()));
    await clock.advance(10);
    expect(seen).toEqual([1_007, 7.6]);
  });

  it('runs timers that asynchronous work arms on the way, if they fall due within', async () => {
    const clock = new ManualClock(0);
    const seen: number[] = [];
    const chain = async (): Promise<void> => {
      for (;;) {
        await sleep(clock, 10);
        for (let i = 0; i < 20; i++) await Promise.resolve();
        await new Promise(setImmediate);
        seen.push(clock.now());
      }
    };
    void chain();
    await clock.advance(35);
    expect(seen).toEqual([10, 20, 30]);
  });

  it('never runs a cancelled timer; cancelling twice is harmless', async () => {
    const clock = new ManualClock();
    let runs = 0;
    const cancel = clock.after(10, () => (runs += 1));
    cancel();
    cancel();
    await clock.advance(20);
    expect([runs, clock.armed]).toEqual([0, 0]);
  });

  it('moves the wall clock alone when it is set', async () => {
    const clock = new ManualClock(1_000);
    let ranAt: number | undefined;
    clock.after(10, () => (ranAt = clock.now()));
    clock.set(500);
    expect([clock.now(), clock.monotonic()]).toEqual([500, 0]);
    await clock.advance(10);
    expect(ranAt).toBe(510);
  });

  it('drives a loop pass by pass and leaves no timer when the loop has stopped', async () => {
    const clock = new ManualClock();
    let passes = 0;
    const loop = new Loop({
      name: 'test',
      clock,
      step: () => Promise.resolve((passes += 1) && 100),
      onError: () => {},
    }).start();
    await clock.advance(1_000);
    expect(passes).toBe(11);
    await loop.stop();
    expect(clock.armed).toBe(0);
  });
});
