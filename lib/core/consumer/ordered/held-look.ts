import type { GroupQueue } from '../../store/delivery-store.js';
import type { QueueLeaseStore } from '../../store/queue-lease-store.js';
import type { Lane } from './lane.js';
import type { Holder, LaneMemory } from './lane-memory.js';
import type { Lanes } from './lanes.js';

const PEEKED_AT_ONCE = 50;

/** Looks at what lanes hold: when an operator changed something about them, and when one runs from there. */
export class HeldLook {
  private readonly options: {
    leases: QueueLeaseStore;
    ref: GroupQueue;
    memory: LaneMemory;
    holder: Holder;
    /** Something may have changed for the lane. */
    bring(lane: Lane): void;
  };
  private nudge: number | undefined;
  private isNudged = false;

  constructor(options: HeldLook['options']) {
    this.options = options;
  }

  /** The queue was loaded: what operators did before is known. */
  restart(): void {
    this.nudge = undefined;
  }

  /** How often operators have changed something, as the store says with each call. */
  learn(nudge: number, lanes: Lanes): void {
    if (nudge === this.nudge) return;
    this.nudge = nudge;
    this.isNudged = lanes.parkedCount > 0;
  }

  /** One look, if there is anything to look for. @returns whether there was, and the queue `isStill` as it was before. */
  async look(lanes: Lanes, isStill: () => boolean): Promise<boolean> {
    const { leases, ref, memory, holder, bring } = this.options;
    if (this.isNudged) {
      this.isNudged = false;
      const held = await leases.heldLanes(ref);
      if (!isStill()) return false;
      for (const lane of lanes.refresh(held)) bring(lane);
      return true;
    }
    for (const lane of lanes.peeking) {
      const { hold } = lane;
      if (hold && hold.unconfirmed > 0) continue;
      if (!hold || hold.parked) {
        lanes.peeking.delete(lane);
        continue;
      }
      const count = Math.min(PEEKED_AT_ONCE, memory.mustHave(holder));
      if (count === 0) return false;
      lanes.peeking.delete(lane);
      const page = { from: 0, count };
      const entries = await memory.fill(count, () => leases.heldEntries(ref, lane.name, page));
      if (!isStill()) return false;
      memory.learn(entries);
      lanes.peeked(hold, entries);
      if (entries.length === 0) hold.count = 0;
      bring(lane);
      return true;
    }
    return false;
  }
}
