import { Capacity } from '../capacity.js';
import type { Throttle } from '../throttle.js';

/** A queue that wants slots. */
export interface SlotUser {
  /** Slots may be free. */
  wake(): void;
}

/** The slots of one subscription, shared by its queues. Those that found none are told of the next ones, in their order. */
export class LaneSlots {
  readonly capacity: Capacity;
  private readonly waiting = new Set<SlotUser>();

  constructor(options: { limit: number; throttle?: Throttle | undefined }) {
    this.capacity = new Capacity(options);
    this.capacity.onTokens = () => this.freed();
  }

  /** It wants none any more. */
  leave(user: SlotUser): void {
    this.waiting.delete(user);
  }

  /** Whether the queue may take one more; `ready`: how many it would take. If not, it is woken when that may have changed. */
  mayTake(user: SlotUser, ready = 1): boolean {
    this.waiting.delete(user);
    if (this.capacity.hasSlot) return true;
    this.waiting.add(user);
    this.capacity.want(ready);
    return false;
  }

  /** A slot is free again. */
  freed(): void {
    for (const user of this.waiting) user.wake();
  }

  /** Runs `start` once nothing of the subscription runs, and lets nothing start until it resolves. */
  async alone(start: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const release = await this.capacity.takeAlone(signal);
    if (!signal.aborted) await start();
    release();
    this.freed();
  }
}
