import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import type { DeliveryStore, GroupQueue } from '../store/delivery-store.js';
import type { Attempt } from './attempt.js';
import { eachQueue } from './each-queue.js';

export interface VisibilityOptions {
  refs: readonly GroupQueue[];
  consumer: string;
  deliveries: DeliveryStore;
  clock: Clock;
  /** How often long handlers are renewed. */
  renewMs: number;
  /** What is pending in our name for longer, but not in our hands, was lost on its way. */
  swallowedAfterMs: number;
  inHand(queue: number): Attempt[];
  /** In hand without a handler that runs: waits for a slot, or its settle is on its way. */
  heldBesides(queue: number): { offset: string; deliveryCount: number }[];
  onLost(attempt: Attempt): void;
  onReleased(queue: number, count: number): void;
  onError(error: unknown): void;
}

/**
 * Keeps what is in hand ours, and finds what should be in hand and is not.
 *
 * A queue is only asked about while one of its handlers runs for long, or after a reply may have been lost.
 */
export class Visibility {
  private readonly options: VisibilityOptions;
  private readonly loop: Loop;
  /** Queues to audit until then, by the monotonic clock: a lost read may still be answered a little later. */
  private readonly suspectUntil = new Map<number, number>();

  constructor(options: VisibilityOptions) {
    this.options = options;
    this.loop = new Loop({
      name: 'visibility',
      clock: options.clock,
      step: async (signal) => {
        await this.renewAll(signal);
        return this.suspectUntil.size > 0
          ? Math.min(options.renewMs, options.swallowedAfterMs)
          : options.renewMs;
      },
      onError: options.onError,
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  /** A reply was lost that may have held messages of this queue (undefined: of any). */
  suspectLoss(queue?: number): void {
    const { clock, swallowedAfterMs, refs } = this.options;
    const until = clock.monotonic() + 4 * swallowedAfterMs;
    for (const ref of refs)
      if (queue === undefined || ref.queue === queue) this.suspectUntil.set(ref.queue, until);
  }

  /** Ask now whether what is in hand is still ours: this process may have been taken for dead. */
  renewNow(): void {
    this.suspectLoss();
    this.loop.wake();
  }

  private async renewAll(signal: AbortSignal): Promise<void> {
    await eachQueue(this.options.refs, {
      visit: async (ref) => {
        if (!signal.aborted) await this.renewIfNeeded(ref);
      },
      onRefusal: this.options.onError,
    });
  }

  private async renewIfNeeded(ref: GroupQueue): Promise<void> {
    const { clock, renewMs, inHand } = this.options;
    const now = clock.monotonic();
    const until = this.suspectUntil.get(ref.queue);
    const held = inHand(ref.queue);
    const long = held.some((attempt) => attempt.startedAt <= now - renewMs / 2);
    if (until === undefined && !long) return;
    await this.renew(ref, held);
    if (until !== undefined && until <= now) this.suspectUntil.delete(ref.queue);
  }

  private async renew(ref: GroupQueue, held: Attempt[]): Promise<void> {
    const { deliveries, consumer, swallowedAfterMs, heldBesides, onLost, onReleased } =
      this.options;
    const entries = [...held.map(({ entry }) => entry), ...heldBesides(ref.queue)];
    const reply = await deliveries.renew(ref, {
      consumer,
      inHand: entries.map(({ offset, deliveryCount }) => ({ offset, deliveryCount })),
      swallowedAfterMs,
    });
    const lost = new Set(reply.lost);
    // One that was settled while the question was under way is not lost, it is done.
    for (const attempt of held)
      if (lost.has(attempt.entry.offset) && !attempt.ended) onLost(attempt);
    if (reply.released > 0) onReleased(ref.queue, reply.released);
  }
}
