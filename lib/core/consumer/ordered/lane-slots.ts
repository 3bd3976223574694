import { Capacity } from '../capacity.js';
import type { Throttle } from '../throttle.js';

/** A queue that wants slots. */
export interface SlotUser {
  /** Slots it has. */
  readonly inUse: number;
  /** Slots may be free. */
  wake(): void;
}

/**
 * The slots of one subscription, shared by its queues: none takes more than its part while another one waits.
 */
export class LaneSlots {
  readonly capacity: Capacity;
  private readonly waiting = new Set<SlotUser>();
  private readonly users = new Set<SlotUser>();

  constructor(options: { limit: number; throttle?: Throttle | undefined }) {
    this.capacity = new Capacity(options);
    this.capacity.onTokens = () => this.freed();
  }

  join(user: SlotUser): void {
    this.users.add(user);
  }

  leave(user: SlotUser): void {
    this.users.delete(user);
    this.waiting.delete(user);
    this.freed();
  }

  /** Whether the queue may take one more; `ready`: how many it would take. If not, it is woken when that may have changed. */
  mayTake(user: SlotUser, ready = 1): boolean {
    this.waiting.delete(user);
    const part = Math.ceil(this.capacity.limit / Math.max(1, this.users.size));
    if (this.capacity.hasSlot && (user.inUse < part || this.waiting.size === 0)) return true;
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
