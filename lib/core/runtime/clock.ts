/**
 * The only source of time in core. A test replaces it with a clock it moves by hand, so that nothing sleeps.
 * Times are Unix milliseconds; the clock of a store may differ from the clock of a process, and neither is
 * ever compared with the other.
 */
export interface Clock {
  now(): number;
  /** Milliseconds that never jump with the wall clock: for deadlines and intervals. */
  monotonic(): number;
  /** Run once after `delayMs` (at least 0). The returned function cancels; cancelling twice is harmless. */
  after(delayMs: number, run: () => void): () => void;
}

/** `setTimeout` fires at once for anything larger; longer waits are re-armed with what remains. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    let timer: NodeJS.Timeout;
    const arm = (remainingMs: number): void => {
      timer =
        remainingMs > LONGEST_TIMER_MS
          ? setTimeout(() => arm(remainingMs - LONGEST_TIMER_MS), LONGEST_TIMER_MS)
          : setTimeout(run, Math.max(0, remainingMs));
    };
    arm(delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or as soon as the signal aborts; never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const wake = (): void => {
      cancel();
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const cancel = clock.after(delayMs, wake);
    signal?.addEventListener('abort', wake, { once: true });
  });
}
