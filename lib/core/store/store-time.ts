import type { Clock } from '../runtime/clock.js';

/** Less may be the way of an answer, or a clock that is corrected softly. */
const SET_BACK_MS = 1_000;

/**
 * The store's time as far as this process knows it: what the store last said, carried on by the monotonic clock.
 * Until it said anything, this process's own time.
 */
export class StoreTime {
  private readonly clock: Clock;
  private said: { store: number; monotonic: number } | undefined;
  /** How often the store's clock was found to be set back, by more than a second. */
  setBacks = 0;

  constructor(options: { clock: Clock }) {
    this.clock = options.clock;
  }

  observe(storeNow: number): void {
    if (this.said && storeNow < this.now() - SET_BACK_MS) this.setBacks += 1;
    this.said = { store: storeNow, monotonic: this.clock.monotonic() };
  }

  now(): number {
    if (!this.said) return this.clock.now();
    return this.said.store + (this.clock.monotonic() - this.said.monotonic);
  }
}
