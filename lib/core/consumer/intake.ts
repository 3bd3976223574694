import { ByteBudget } from './byte-budget.js';
import { Capacity } from './capacity.js';
import { Permits, type PermitsOptions } from './per-key/permits.js';
import type { Throttle } from './throttle.js';
import { WantedShare } from './wanted-share.js';

/** How much one subscription takes in, over all of its topics: by slots, by bytes, and by what its filter leaves. */
export class Intake {
  readonly capacity: Capacity;
  readonly budget: ByteBudget;
  readonly wanted = new WantedShare();
  /** Of a subscription with `concurrencyPer`. */
  readonly permits: Permits | undefined;

  constructor(options: {
    concurrency: number;
    mostBytes: number;
    throttle?: Throttle | undefined;
    permits?: Omit<PermitsOptions, 'capacity' | 'mostBytes'> | undefined;
  }) {
    this.capacity = new Capacity({ limit: options.concurrency, throttle: options.throttle });
    this.budget = new ByteBudget({ mostBytes: options.mostBytes });
    if (options.permits)
      this.permits = new Permits({
        ...options.permits,
        capacity: this.capacity,
        mostBytes: options.mostBytes / 4,
      });
  }

  /** Nothing begins any more. */
  stop(): void {
    this.capacity.close();
    this.permits?.stop();
  }

  /** Nothing is under way any more, or it is given up. */
  close(): void {
    this.permits?.close();
  }

  /** How many messages to ask for when so many slots are free; 0 when there are too many bytes in hand. */
  toRead(free: number): number {
    return Math.min(this.wanted.toRead(free), this.budget.room);
  }
}
