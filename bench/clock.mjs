// Time within one machine.
import { setTimeout as sleep } from 'node:timers/promises';

/** Nanoseconds by CLOCK_MONOTONIC: comparable between processes of one machine. */
export const nanoseconds = () => Number(process.hrtime.bigint());

/** Lets garbage of the preparation go before something is measured. */
export async function settleDown() {
  for (let i = 0; i < 2; i++) {
    globalThis.gc();
    await sleep(50);
  }
}

/**
 * Throughput from now on: the returned function tells it. `cpuUs` is what this process took of a CPU for each message,
 * which a busy machine changes less.
 */
export function startMeter() {
  const from = nanoseconds();
  const before = process.cpuUsage();
  return (count) => {
    const { user, system } = process.cpuUsage(before);
    return { perSecond: count / ((nanoseconds() - from) / 1e9), cpuUs: (user + system) / count };
  };
}

/** Calls `act(i)` `count` times, `perSecond` times a second, without drifting when a call is late. */
export async function pace({ count, perSecond: rate }, act) {
  const begin = performance.now();
  for (let i = 0; i < count; i++) {
    const waitMs = begin + (i * 1000) / rate - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    act(i);
  }
}

/** Runs `act(i)` for i < count, `inFlight` at a time, each awaited. */
export async function inParallel({ count, inFlight }, act) {
  let next = 0;
  const lane = async () => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}
