import type { Throttle } from './throttle.js';

/**
 * Slots for running handlers: taken before anything is fetched, returned when the handler ended.
 *
 * `unsettled` deliveries, whose outcome or settle is still on its way, do not hold a slot, but three times as many as there are
 * slots, and 16, stop further fetching: a store that takes no settles is given no more work.
 */
export class Capacity {
  readonly limit: number;
  private running = 0;
  private unsettled = 0;
  private reserved = 0;
  private queued = 0;
  private holds = 0;
  private readonly pauses = new Map<string, () => void>();
  private readonly waiters: (() => void)[] = [];
  private readonly idleWaiters: (() => void)[] = [];
  private readonly resumeWaiters: (() => void)[] = [];
  private readonly lines: (() => void)[] = [];
  private turn = 0;
  private ended = 0;
  /** More may begin than before, by the rate limit. */
  onTokens: (() => void) | undefined;
  /** No handler runs any more. */
  onIdle: (() => void) | undefined;
  private alone: Promise<void> = Promise.resolve();

  private readonly throttle: Throttle | undefined;

  /** `throttle`: how often handlers may begin, whatever slots are free. */
  constructor(options: { limit: number; throttle?: Throttle | undefined }) {
    this.limit = options.limit;
    this.throttle = options.throttle;
    this.throttle?.notify(() => this.throttled());
  }

  /** How many deliveries may be fetched now. */
  get free(): number {
    if (!this.takesMore) return 0;
    const held = this.reserved + this.queued;
    const free = Math.max(0, this.limit - this.running - held);
    return this.throttle ? Math.max(0, Math.min(free, this.throttle.readable - held)) : free;
  }

  /** Whether anything may be fetched, if only there are slots. */
  get takesMore(): boolean {
    return this.holds === 0 && this.unsettled < this.limit * 3 + 16;
  }

  /** Those that have a slot, and those that were fetched for one. */
  get inHand(): number {
    return this.running + this.reserved + this.queued;
  }

  /** Whether a delivery that was fetched may start. */
  get hasSlot(): boolean {
    if (this.holds > 0 || this.running >= this.limit) return false;
    return this.throttle?.mayStart ?? true;
  }

  get inUse(): number {
    return this.running;
  }

  /** Whether nothing starts until somebody resumes it. */
  get isPaused(): boolean {
    return this.pauses.size > 0;
  }

  /** Handlers that have ended, since the start. */
  get handledInAll(): number {
    return this.ended;
  }

  /** Whether something else than slots says when the next may begin. */
  get isThrottled(): boolean {
    return this.throttle !== undefined;
  }

  /** Keep slots for a fetch that will not wait. The returned function gives them back. */
  reserve(slots: number): () => void {
    this.reserved += slots;
    return () => {
      this.reserved -= slots;
      slots = 0;
      this.changed();
    };
  }

  /** Fetched deliveries that wait for a slot, more or fewer by `change`. */
  queue(change: number): void {
    this.queued += change;
    if (change > 0) this.throttle?.want(this.queued);
    if (change < 0) this.changed();
  }

  take(): void {
    this.running += 1;
    this.throttle?.use();
  }

  /** So many could begin at once, if they may. */
  want(count: number): void {
    if (this.holds === 0) this.throttle?.want(Math.min(count, this.limit - this.running));
  }

  /** Nothing begins any more. */
  close(): void {
    this.throttle?.stop();
  }

  /** The handler ended; its settle begins. */
  handled(): void {
    this.running -= 1;
    this.ended += 1;
    this.unsettled += 1;
    if (this.running === 0) this.onIdle?.();
    this.changed();
  }

  /** Something that needs no handler is being settled. */
  passed(): void {
    this.unsettled += 1;
  }

  settled(): void {
    this.unsettled -= 1;
    this.changed();
  }

  /**
   * Deliveries that were fetched wait in a line for a slot: `start` lets in as many as there are. Returns the function
   * that takes the line away.
   */
  addLine(start: () => void): () => void {
    this.lines.push(start);
    return () => void this.lines.splice(this.lines.indexOf(start), 1);
  }

  /** A slot may be free: the lines are asked, another one first each time. */
  serve(): void {
    const { lines } = this;
    const from = this.turn++;
    for (let i = 0; i < lines.length && this.hasSlot; i++) lines[(from + i) % lines.length]!();
  }

  /**
   * For running something alone: nothing else runs, or begins to, from when this resolves until the returned function
   * is called. Those who ask at the same time come one after the other. In a pause it is nobody's turn.
   */
  async takeAlone(signal: AbortSignal): Promise<() => void> {
    const before = this.alone;
    let next!: () => void;
    const mine = new Promise<void>((resolve) => (next = resolve));
    this.alone = before.then(() => mine);
    const release = this.hold();
    await before;
    do {
      if (this.isPaused && !signal.aborted) await waitFor(this.resumeWaiters, signal);
      await this.whenIdle(signal);
    } while (this.isPaused && !signal.aborted);
    return () => {
      release();
      next();
    };
  }

  /** No slot is free until the returned function is called: for running something alone, or for stopping. */
  hold(): () => void {
    let held = true;
    this.holds += 1;
    return () => {
      if (!held) return;
      held = false;
      this.holds -= 1;
      this.changed();
    };
  }

  /** Nothing starts until each `why` was resumed; what runs goes on. Safe to repeat. */
  pause(why: string): void {
    if (!this.pauses.has(why)) this.pauses.set(why, this.hold());
  }

  /** What waits for a slot starts, unless it is paused for another reason. Safe to repeat. */
  resume(why: string): void {
    this.pauses.get(why)?.();
    this.pauses.delete(why);
    if (!this.isPaused) for (const wake of this.resumeWaiters.splice(0)) wake();
    this.serve();
  }

  /** Resolves when a slot is free, or when the signal aborts. */
  whenFree(signal: AbortSignal): Promise<void> {
    if (this.free > 0 || signal.aborted) return Promise.resolve();
    return waitFor(this.waiters, signal);
  }

  /** Resolves when no handler runs, or when the signal aborts. */
  whenIdle(signal: AbortSignal): Promise<void> {
    if (this.running === 0 || signal.aborted) return Promise.resolve();
    return waitFor(this.idleWaiters, signal);
  }

  private throttled(): void {
    this.serve();
    if (this.queued > 0) this.throttle?.want(this.queued);
    this.changed();
    this.onTokens?.();
  }

  private changed(): void {
    if (this.waiters.length > 0 && this.free > 0) for (const wake of this.waiters.splice(0)) wake();
    if (this.idleWaiters.length > 0 && this.running === 0)
      for (const wake of this.idleWaiters.splice(0)) wake();
  }
}

function waitFor(waiters: (() => void)[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      signal.removeEventListener('abort', abort);
      resolve();
    };
    const abort = (): void => {
      waiters.splice(waiters.indexOf(wake), 1);
      resolve();
    };
    waiters.push(wake);
    signal.addEventListener('abort', abort, { once: true });
  });
}
