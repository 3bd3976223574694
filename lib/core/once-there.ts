import { isAway, passes, StoreRefusedError } from './message/errors.js';
import { type Clock, sleep } from './runtime/clock.js';

const AGAIN_MS = 200;

/**
 * Does what may be repeated; while the store is away or another server takes over (its connection broke, it is
 * read-only, it loads), again and again until the time is up or the signal aborts.
 *
 * @throws what the work throws last; at once what the store refuses for good, and anything else.
 */
export async function onceThere(
  work: (leftMs: number) => Promise<void>,
  wait: { clock: Clock; timeoutMs: number; signal: AbortSignal },
): Promise<void> {
  const { clock, timeoutMs, signal } = wait;
  const until = clock.monotonic() + timeoutMs;
  for (let leftMs = timeoutMs; ;) {
    try {
      return await work(leftMs);
    } catch (error) {
      leftMs = until - clock.monotonic();
      if (!maySucceed(error) || leftMs <= 0) throw error;
      await sleep(clock, Math.min(leftMs, AGAIN_MS), signal);
      if (signal.aborted) throw error;
    }
  }
}

function maySucceed(error: unknown): boolean {
  return isAway(error) || (error instanceof StoreRefusedError && passes(error));
}
