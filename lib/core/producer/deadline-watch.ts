import type { Clock } from '../runtime/clock.js';

/**
 * One timer for any number of deadlines, armed for the earliest. Times are of the monotonic clock.
 *
 * It stays armed when nothing is left to watch: to begin and to end a timer would be a part of what each message costs, and
 * deadlines mostly lie behind the one there is.
 */
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
      this.armedFor = Infinity;
      const next = this.sweep(this.clock.monotonic());
      if (next < Infinity) this.watch(next);
    });
  }

  /** Nothing will be watched any more. */
  close(): void {
    this.cancel?.();
    this.armedFor = -Infinity;
  }
}
