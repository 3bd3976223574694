import type { Clock } from '../runtime/clock.js';
import type { DeliveredEntry } from '../store/delivery-store.js';
import { type ByteBudget, bytesOf } from './byte-budget.js';
import type { Capacity } from './capacity.js';

/** Longer than this nobody waits here for a slot: somebody else may have one. */
const LONGEST_WAIT_MS = 1_000;

/**
 * Deliveries that were fetched and have no slot yet.
 *
 * New messages and retries are fetched side by side, so both may bring as many as there are slots. The excess waits
 * here for a moment instead of travelling back to the store; it counts as taken when more is fetched.
 */
export class Overflow {
  private readonly clock: Clock;
  private readonly capacity: Capacity;
  private readonly budget: ByteBudget;
  private readonly onTooLong: (entries: DeliveredEntry[]) => void;
  private entries: DeliveredEntry[] = [];
  private cancelTimer: (() => void) | undefined;

  constructor(options: {
    clock: Clock;
    capacity: Capacity;
    /** Where their bytes count. */
    budget: ByteBudget;
    /** They waited too long and are out of here. */
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
    this.capacity.queue(-1);
    this.budget.give(bytesOf(entry));
    return entry;
  }

  /** Takes everything out. */
  drain(): DeliveredEntry[] {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    const entries = this.entries;
    this.entries = [];
    this.capacity.queue(-entries.length);
    for (const entry of entries) this.budget.give(bytesOf(entry));
    return entries;
  }

  /** To be called when a fetch is done: what is left now waits, but not for long. */
  watch(): void {
    if (this.entries.length === 0 || this.cancelTimer) return;
    this.cancelTimer = this.clock.after(LONGEST_WAIT_MS, () => {
      this.cancelTimer = undefined;
      if (this.entries.length > 0) this.onTooLong(this.drain());
    });
  }
}
