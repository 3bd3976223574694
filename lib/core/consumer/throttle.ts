import type { Clock } from '../runtime/clock.js';
import type { RateLimit, RateLimitStore } from '../store/rate-limit-store.js';
import type { Stores } from '../store/stores.js';
import type { Subscription } from './subscription.js';

export interface ThrottleOptions {
  rates: RateLimitStore;
  of: { topic: string; group: string };
  limit: RateLimit;
  clock: Clock;
  onError(error: unknown): void;
}

/** Tokens that were taken and not used are void after this: others may have waited for them. */
const LAPSE_MS = 1_000;
const AWAY_MS = 1_000;

/**
 * How many handlers of one subscription may begin in this process, of what all processes share.
 *
 * Tokens are taken for what waits for one, all together in one call; nothing is asked while the bucket is known to be empty.
 */
export class Throttle {
  private readonly options: ThrottleOptions;
  /** Below zero after what had to begin without one: it is paid back first. */
  private granted = 0;
  private grantedAt = 0;
  private wanted = 0;
  private isAsking = false;
  /** How full the bucket was, and when; by the monotonic clock. */
  private known: { left: number; at: number };
  private emptyUntil = -Infinity;
  private cancelTimer: (() => void) | undefined;
  private onChange: () => void = () => {};
  private isStopped = false;

  constructor(options: ThrottleOptions) {
    this.options = options;
    this.known = { left: options.limit.max, at: options.clock.monotonic() };
  }

  /** Called when more may begin, or be read, than before. */
  notify(onChange: () => void): void {
    this.onChange = onChange;
  }

  /** Whether one more may begin now. */
  get mayStart(): boolean {
    if (this.granted <= 0) return false;
    if (this.options.clock.monotonic() - this.grantedAt <= LAPSE_MS) return true;
    this.granted = 0;
    return false;
  }

  /** How many messages are worth reading: as many as could probably begin. */
  get readable(): number {
    const { clock, limit } = this.options;
    const now = clock.monotonic();
    if (now < this.emptyUntil) return 0;
    const filled = ((now - this.known.at) * limit.max) / limit.perMs;
    return Math.max(1, Math.floor(Math.min(limit.max, this.known.left + filled)));
  }

  use(): void {
    this.granted -= 1;
  }

  /** So many wait. */
  want(count: number): void {
    this.wanted = Math.max(this.wanted, count);
    if (this.wanted <= 0) return;
    if (this.isAsking || this.cancelTimer || this.isStopped) return;
    this.isAsking = true;
    // What else begins to wait now goes with it.
    void Promise.resolve().then(() => this.ask());
  }

  stop(): void {
    this.isStopped = true;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private async ask(): Promise<void> {
    const { rates, of, limit, clock, onError } = this.options;
    const want = Math.min(limit.max, this.wanted - Math.min(0, this.granted));
    this.wanted = 0;
    let waitMs = 0;
    try {
      const reply = await rates.take(of, { want, limit });
      this.granted += reply.granted;
      this.grantedAt = clock.monotonic();
      this.known = { left: reply.left, at: this.grantedAt };
      waitMs = reply.granted < want ? Math.max(1, reply.waitMs) : 0;
    } catch (error) {
      onError(error);
      waitMs = AWAY_MS;
    }
    this.isAsking = false;
    if (this.isStopped) return;
    if (waitMs > 0) this.rest(waitMs);
    this.onChange();
  }

  private rest(waitMs: number): void {
    const { clock } = this.options;
    this.emptyUntil = clock.monotonic() + waitMs;
    this.cancelTimer = clock.after(waitMs, () => {
      this.cancelTimer = undefined;
      this.emptyUntil = -Infinity;
      this.onChange();
    });
  }
}

/** That of a subscription; undefined when it has no limit. */
export function throttleFor(options: {
  subscription: Pick<Subscription, 'topic' | 'group' | 'rateLimit'>;
  stores: Pick<Stores, 'rates'>;
  clock: Clock;
  onError(error: unknown): void;
}): Throttle | undefined {
  const { subscription, stores, clock, onError } = options;
  const { topic, group, rateLimit: limit } = subscription;
  return (
    limit && new Throttle({ rates: stores.rates, of: { topic, group }, limit, clock, onError })
  );
}
