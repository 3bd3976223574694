import type { Clock } from '../runtime/clock.js';
import type { Attempt } from './attempt.js';

/**
 * What this consumer is working on, and how long it may.
 *
 * All attempts of a subscription may take equally long, so the oldest is the first whose time is up: one timer
 * serves them all.
 */
export class InHand {
  private readonly clock: Clock;
  private readonly handlerTimeoutMs: number;
  private readonly onTimeout: (attempt: Attempt) => void;
  private readonly attempts = new Set<Attempt>();
  private cancelTimer: (() => void) | undefined;

  constructor(options: {
    clock: Clock;
    handlerTimeoutMs: number;
    onTimeout(attempt: Attempt): void;
  }) {
    this.clock = options.clock;
    this.handlerTimeoutMs = options.handlerTimeoutMs;
    this.onTimeout = options.onTimeout;
  }

  add(attempt: Attempt): void {
    this.attempts.add(attempt);
    if (!this.cancelTimer) this.arm(this.handlerTimeoutMs);
  }

  remove(attempt: Attempt): void {
    this.attempts.delete(attempt);
  }

  /** Attempts of one queue, or all of them; oldest first. */
  of(queue?: number): Attempt[] {
    const all = [...this.attempts];
    return queue === undefined ? all : all.filter((attempt) => attempt.entry.queue === queue);
  }

  stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private arm(inMs: number): void {
    // A timeout may have made room for an attempt that was given a timer already.
    this.cancelTimer?.();
    this.cancelTimer = this.clock.after(inMs, () => {
      this.cancelTimer = undefined;
      const now = this.clock.monotonic();
      for (const attempt of this.attempts) {
        const leftMs = attempt.startedAt + this.handlerTimeoutMs - now;
        if (leftMs > 0) return this.arm(leftMs);
        this.onTimeout(attempt);
      }
    });
  }
}
