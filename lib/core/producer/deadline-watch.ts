import type { Clock } from '../runtime/clock.js';

/** One timer for any number of deadlines, armed for the earliest. Times are of the monotonic clock. */
export class DeadlineWatch {
  private readonly clock: Clock;
  private readonly sweep: (now: number) => number;
  private armedFor = Infinity;
  private cancel: (() => void) | undefined;

  /** @param options.sweep deals with what is overdue and answers the next deadline, Infinity for none. */
  constructor(options: { clock: Clock; sweep(now: number): number }) {
    this.clock = options.clock;
    this.sweep = options.sweep;
  }

  watch(deadline: number): void {
    if (deadline >= this.armedFor) return;
    this.cancel?.();
    this.armedFor = deadline;
    this.cancel = this.clock.after(deadline - this.clock.monotonic(), () => {
      this.clear();
      const next = this.sweep(this.clock.monotonic());
      if (next < Infinity) this.watch(next);
    });
  }

  /** Nothing is left to watch. */
  clear(): void {
    this.cancel?.();
    this.cancel = undefined;
    this.armedFor = Infinity;
  }
}
