import { offsetBefore } from '../../message/offset.js';
import type { GroupQueue } from '../../store/delivery-store.js';
import type { LeaseProof, QueueLeaseStore } from '../../store/queue-lease-store.js';
import type { StoredEntry } from '../../store/refs.js';
import type { Lane } from './lane.js';
import type { Holder, LaneMemory } from './lane-memory.js';
import type { Lanes } from './lanes.js';

/** Asks for messages again that were not kept in memory, once their turn has come. */
export class Recall {
  private readonly options: {
    leases: QueueLeaseStore;
    ref: GroupQueue;
    memory: LaneMemory;
    holder: Holder;
  };

  constructor(options: Recall['options']) {
    this.options = options;
  }

  /**
   * One of them, if there is room. @returns whether there was one.
   *
   * @throws when it is not what comes first: we and the store disagree.
   */
  async next(lanes: Lanes, proof: LeaseProof, isStill: () => boolean): Promise<boolean> {
    const { memory, holder } = this.options;
    const [lane] = lanes.absent;
    if (!lane || memory.mustHave(holder) === 0) return false;
    const found = await memory.fill(1, () => this.ask(lane, proof));
    if (!isStill()) return false;
    if (found?.offset !== lane.head!.offset)
      throw new Error(`${lane.head!.offset} is not the next one of its lane`);
    memory.learn([found]);
    lanes.remember(lane, found);
    return true;
  }

  private async ask({ name, head }: Lane, proof: LeaseProof): Promise<StoredEntry | undefined> {
    const { leases, ref } = this.options;
    if (head!.held) return (await leases.heldEntries(ref, name, { from: 0, count: 1 }))[0];
    const after = offsetBefore(head!.offset);
    const page = await leases.load(ref, proof, { after, count: 1 });
    if (page.state !== 'loaded') throw new Error(`queue ${ref.queue}: ${page.state}`);
    return page.entries[0];
  }
}
