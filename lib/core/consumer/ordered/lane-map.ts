import { hasNothing, type Lane, newLane } from './lane.js';

/** So many are kept at least, and twice as many as had something when the others were forgotten last. */
const IDLE_KEPT = 1_000;

/**
 * The lanes of a queue by their names. Most message groups come again, so a lane that has nothing is kept while the queue is at
 * work: a map from which each is deleted keeps what grew old in it (decision 13), and the lane is made anew each time.
 */
export class LaneMap {
  private lanes = new Map<string, Lane>();
  private most = IDLE_KEPT;
  /** How often a lane was left with nothing since the last were forgotten. */
  private emptiedCount = 0;

  find(name: string): Lane | undefined {
    return this.lanes.get(name);
  }

  values(): IterableIterator<Lane> {
    return this.lanes.values();
  }

  /** Made if it is not there. */
  laneOf(name: string): Lane {
    let lane = this.lanes.get(name);
    if (!lane) {
      if (this.lanes.size >= this.most) this.forgetIdle();
      lane = newLane(name);
      this.lanes.set(name, lane);
    }
    return lane;
  }

  /** Nothing is left in it, and nothing is to be known of what was. */
  emptied(lane: Lane): void {
    lane.record = undefined;
    this.emptiedCount += 1;
  }

  /** Nothing of the queue is under way: lanes with nothing are forgotten, unless others are far more. */
  tidy(): void {
    if (this.emptiedCount > 0 && 2 * this.emptiedCount >= this.lanes.size) this.forgetIdle();
  }

  private forgetIdle(): void {
    const kept = new Map<string, Lane>();
    for (const lane of this.lanes.values()) if (!hasNothing(lane)) kept.set(lane.name, lane);
    this.lanes = kept;
    this.most = 2 * kept.size + IDLE_KEPT;
    this.emptiedCount = 0;
  }
}
