import type { Clock } from '../../runtime/clock.js';

/** For how long a queue is certainly ours: from when it was last asked for, less than a lease lasts. */
export class LeaseTerm {
  private readonly options: { clock: Clock; selfStopMs: number; onEnd(): void };
  /** By the monotonic clock. */
  private until = 0;
  private cancelTimer: (() => void) | undefined;

  constructor(options: LeaseTerm['options']) {
    this.options = options;
  }

  /** Asked right before anything that must not happen in a queue of another owner: timers may be late. */
  get isRunning(): boolean {
    return this.options.clock.monotonic() < this.until;
  }

  /** The store agreed to what was sent at this time, by the monotonic clock. */
  extend(sentAt: number): void {
    const { clock, selfStopMs, onEnd } = this.options;
    this.until = sentAt + selfStopMs;
    this.end();
    this.cancelTimer = clock.after(Math.max(0, this.until - clock.monotonic()), onEnd);
  }

  /** It is not waited for any more. */
  end(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }
}
