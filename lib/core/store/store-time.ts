import type { Clock } from '../runtime/clock.js';

/**
 * The store's time as far as this process knows it: what the store last said, carried on by the monotonic clock.
 * Until it said anything, this process's own time.
 */
export class StoreTime {
  private readonly clock: Clock;
  private said: { store: number; monotonic: number } | undefined;

  constructor(options: { clock: Clock }) {
    this.clock = options.clock;
  }

  observe(storeNow: number): void {
    this.said = { store: storeNow, monotonic: this.clock.monotonic() };
  }

  now(): number {
    if (!this.said) return this.clock.now();
    return this.said.store + (this.clock.monotonic() - this.said.monotonic);
  }
}
