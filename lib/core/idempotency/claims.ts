import type { GuardedDelivery } from '../consumer/subscription.js';
import { ClosedError } from '../message/errors.js';
import type { Clock } from '../runtime/clock.js';
import { UnderWay } from '../runtime/under-way.js';
import type { DedupRef, DedupStore } from '../store/dedup-store.js';

/** A dedup record that is this process's while its handler runs. */
export interface Claim {
  readonly ref: DedupRef;
  readonly owner: string;
  readonly delivery: GuardedDelivery;
  /** It is not kept any more; `false` when that was so already. Given by `Claims`. */
  end: () => boolean;
}

/**
 * Keeps claims ours while their handlers run.
 *
 * Not those whose signal has aborted: a handler that ignores it for ever must not keep others from the message. The
 * renewal runs in the thread of the handlers; one that blocks it for longer than the lease may be overtaken.
 */
export class Claims {
  private readonly dedup: DedupStore;
  private readonly clock: Clock;
  private readonly leaseMs: number;
  private readonly renewMs: number;
  private readonly onTrouble: (error: unknown) => void;
  private readonly claims = new UnderWay<Claim>();
  private cancelTimer: (() => void) | undefined;

  constructor(options: {
    dedup: DedupStore;
    clock: Clock;
    leaseMs: number;
    onTrouble(error: unknown): void;
  }) {
    this.dedup = options.dedup;
    this.clock = options.clock;
    this.leaseMs = options.leaseMs;
    this.renewMs = options.leaseMs / 3;
    this.onTrouble = options.onTrouble;
  }

  /** Keeps it until it is ended. */
  add(claim: Claim): void {
    claim.end = this.claims.add(claim);
    // Left armed when the last claim ends: one timer in each third of a lease costs less than one for each message.
    this.cancelTimer ??= this.clock.after(this.renewMs, () => this.onTimer());
  }

  /** No claim is renewed any more. */
  stop(): void {
    for (const claim of this.claims) claim.end();
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private onTimer(): void {
    this.cancelTimer =
      this.claims.size > 0 ? this.clock.after(this.renewMs, () => this.onTimer()) : undefined;
    // A claim that is missed now is looked at again well before its lease ends.
    const old = this.clock.monotonic() - this.renewMs / 2;
    for (const claim of this.claims) if (claim.delivery.startedAt <= old) void this.renew(claim);
  }

  private async renew(claim: Claim): Promise<void> {
    const { ref, owner, delivery } = claim;
    if (delivery.signal.aborted) return void claim.end();
    try {
      const reply = await this.dedup.renew(ref, { owner, leaseMs: this.leaseMs });
      // What ended while the question was under way is not lost.
      if (reply === 'renewed' || !claim.end()) return;
      delivery.abort(
        new ClosedError(
          `Message ${delivery.message.messageId} is being handled by another consumer: its claim could not be renewed in time`,
        ),
      );
    } catch (error) {
      this.onTrouble(error);
    }
  }
}
