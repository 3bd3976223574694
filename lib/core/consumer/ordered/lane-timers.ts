import type { Clock } from '../../runtime/clock.js';
import type { Lane } from './lane.js';

/** Lanes whose heads wait for their next attempts. */
export class LaneTimers {
  private readonly clock: Clock;
  private readonly cancels = new Map<Lane, () => void>();

  constructor(options: { clock: Clock }) {
    this.clock = options.clock;
  }

  get isEmpty(): boolean {
    return this.cancels.size === 0;
  }

  start(lane: Lane, delayMs: number, then: () => void): void {
    const cancel = this.clock.after(delayMs, () => {
      this.cancels.delete(lane);
      then();
    });
    this.cancels.set(lane, cancel);
  }

  stop(): void {
    for (const cancel of this.cancels.values()) cancel();
    this.cancels.clear();
  }
}
