import type { Clock } from '../runtime/clock.js';
import type { DeliveredEntry } from '../store/delivery-store.js';
import { type ByteBudget, bytesOf } from './byte-budget.js';
import type { Capacity } from './capacity.js';

/** Nobody waits here for a slot for longer than twice this: somebody else may have one. */
const LOOK_MS = 500;

/**
 * Deliveries that were fetched and have no slot yet.
 *
 * New messages and retries are fetched side by side, so both may bring as many as there are slots, and more is read for handlers that
 * end soon. The excess waits here for a moment instead of travelling back to the store; it counts as taken when more is fetched.
 */
export class Overflow {
  private readonly clock: Clock;
  private readonly capacity: Capacity;
  private readonly budget: ByteBudget;
  private readonly onTooLong: (entries: DeliveredEntry[]) => void;
  private entries: DeliveredEntry[] = [];
  /** How many of them, from the first, were here at the latest look. */
  private seen = 0;
  private cancelTimer: (() => void) | undefined;

  constructor(options: {
    clock: Clock;
    capacity: Capacity;
    /** Where their bytes count. */
    budget: ByteBudget;
    /** They waited for too long, at least `LOOK_MS`, and are out of here. */
    onTooLong(entries: DeliveredEntry[]): void;
  }) {
    this.clock = options.clock;
    this.capacity = options.capacity;
    this.budget = options.budget;
    this.onTooLong = options.onTooLong;
  }

  get length(): number {
    return this.entries.length;
  }

  of(queue: number): DeliveredEntry[] {
    return this.entries.filter((entry) => entry.queue === queue);
  }

  push(entry: DeliveredEntry): void {
    this.entries.push(entry);
    this.capacity.queue(1);
    this.budget.take(bytesOf(entry));
  }

  shift(): DeliveredEntry | undefined {
    const entry = this.entries.shift();
    if (!entry) return undefined;
    if (this.seen > 0) this.seen -= 1;
    this.capacity.queue(-1);
    this.budget.give(bytesOf(entry));
    return entry;
  }

  /** Takes everything out. */
  drain(): DeliveredEntry[] {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    return this.takeOut(this.entries.length);
  }

  /** To be called when a fetch is done: what is left now waits, but not for long. */
  watch(): void {
    if (this.entries.length === 0 || this.cancelTimer) return;
    this.cancelTimer = this.clock.after(LOOK_MS, () => {
      this.cancelTimer = undefined;
      const tooLong = this.takeOut(this.seen);
      this.seen = this.entries.length;
      if (tooLong.length > 0) this.onTooLong(tooLong);
      this.watch();
    });
  }

  /** The first `count`. */
  private takeOut(count: number): DeliveredEntry[] {
    const entries = this.entries.splice(0, count);
    this.seen = Math.max(0, this.seen - count);
    this.capacity.queue(-entries.length);
    for (const entry of entries) this.budget.give(bytesOf(entry));
    return entries;
  }
}
