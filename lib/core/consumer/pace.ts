/** Shorter than this nothing is known of a pace: what ended together would count as very fast. */
const SHORTEST_MS = 2;

/** How fast something goes on while there is something to do, by the latest of it. */
export class Pace {
  private since: number;
  private done = 0;
  private perMs = 0;

  /** Times are of the monotonic clock. */
  constructor(options: { now: number }) {
    this.since = options.now;
  }

  /** So much has been done in all by now. */
  note(now: number, done: number): void {
    const lastedMs = now - this.since;
    if (lastedMs < SHORTEST_MS) return;
    this.perMs = (done - this.done) / lastedMs;
    this.since = now;
    this.done = done;
  }

  /** For so long there was nothing to do: it does not count. */
  rested(ms: number): void {
    this.since += ms;
  }

  /** How much more is done within so many milliseconds if it goes on like this. */
  within(ms: number): number {
    return Math.floor(this.perMs * ms);
  }
}
