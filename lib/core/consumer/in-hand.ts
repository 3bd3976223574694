import type { Clock } from '../runtime/clock.js';
import type { Attempt } from './attempt.js';

/**
 * What this consumer is working on, and how long it may.
 *
 * All attempts of a subscription may take equally long, so the oldest is the first whose time is up: one timer
 * serves them all. The attempts are their own list, and let go of their neighbours when they leave it: a Set is made
 * anew every few hundred messages, and each old one keeps the next, with all that was in it, from being collected.
 */
export class InHand {
  private readonly clock: Clock;
  private readonly handlerTimeoutMs: number;
  private readonly onTimeout: (attempt: Attempt) => void;
  private oldest: Attempt | undefined;
  private newest: Attempt | undefined;
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

  get isEmpty(): boolean {
    return this.oldest === undefined;
  }

  add(attempt: Attempt): void {
    attempt.older = this.newest;
    if (this.newest) this.newest.newer = attempt;
    else this.oldest = attempt;
    this.newest = attempt;
    if (!this.cancelTimer) this.arm(this.handlerTimeoutMs);
  }

  /** What is not there (any more) is left alone. */
  remove(attempt: Attempt): void {
    const { older, newer } = attempt;
    if (older) older.newer = newer;
    else if (this.oldest === attempt) this.oldest = newer;
    if (newer) newer.older = older;
    else if (this.newest === attempt) this.newest = older;
    attempt.older = undefined;
    attempt.newer = undefined;
  }

  /** Attempts of one queue, or all of them; oldest first. */
  of(queue?: number): Attempt[] {
    const found: Attempt[] = [];
    for (let each = this.oldest; each; each = each.newer)
      if (queue === undefined || each.entry.queue === queue) found.push(each);
    return found;
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
      for (let attempt = this.oldest; attempt; attempt = this.oldest) {
        const leftMs = attempt.startedAt + this.handlerTimeoutMs - now;
        if (leftMs > 0) return this.arm(leftMs);
        this.remove(attempt);
        this.onTimeout(attempt);
      }
    });
  }
}
