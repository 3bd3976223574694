import { Capacity } from '../capacity.js';
import type { Throttle } from '../throttle.js';

/** A queue that wants slots. */
export interface SlotUser {
  /** Slots may be free. */
  wake(): void;
}

/** A call to the store costs as much for two messages as for some more: with many queues parts would be too small to be worth one. */
const LEAST_SHARE = 16;

/**
 * The slots of one subscription, shared by its queues: each has an equal part of them, or a few, while others want more than they
 * have, so that handlers of one queue run while the store is asked about another. Who waits longest is told first of slots that are free.
 */
export class LaneSlots {
  readonly capacity: Capacity;
  /** Those that could start more, who started something last at the end. */
  private readonly wanting = new Set<SlotUser>();

  constructor(options: { limit: number; throttle?: Throttle | undefined }) {
    this.capacity = new Capacity(options);
    this.capacity.onTokens = () => this.freed();
  }

  /** How many slots the queue may have in all, if they are free. */
  shareOf(user: SlotUser): number {
    const { limit } = this.capacity;
    return Math.max(Math.ceil(limit / (this.othersThan(user) + 1)), Math.min(limit, LEAST_SHARE));
  }

  /** There are parts for all that want slots, and for two at least: the queue takes none, and no token, for which another one waits. */
  isApart(user: SlotUser): boolean {
    const { limit, isThrottled } = this.capacity;
    return !isThrottled && Math.max(this.othersThan(user) + 1, 2) * LEAST_SHARE <= limit;
  }

  /** The queue has started what it may: whether that was anything, and how many more it would start. It is woken when it may. */
  took(user: SlotUser, { any, more }: { any: boolean; more: number }): void {
    if (more === 0) return this.leave(user);
    if (any) this.wanting.delete(user);
    this.wanting.add(user);
    if (!this.capacity.hasSlot) this.capacity.want(more);
  }

  /** The queue wants none any more: others may have its part. */
  leave(user: SlotUser): void {
    if (this.wanting.delete(user)) this.freed();
  }

  /** A slot is free again. */
  freed(): void {
    for (const user of this.wanting) user.wake();
  }

  private othersThan(user: SlotUser): number {
    return this.wanting.size - (this.wanting.has(user) ? 1 : 0);
  }

  /** Runs `start` once nothing of the subscription runs, and lets nothing start until it resolves. */
  async alone(start: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const release = await this.capacity.takeAlone(signal);
    if (!signal.aborted) await start();
    release();
    this.freed();
  }
}
