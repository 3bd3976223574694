import type { GroupQueue } from '../../store/delivery-store.js';
import type { QueueLeaseStore } from '../../store/queue-lease-store.js';
import type { StoredEntry } from '../../store/refs.js';
import { fullBytesOf } from './absent.js';
import type { Lane } from './lane.js';
import type { Holder, LaneMemory } from './lane-memory.js';
import type { Lanes } from './lanes.js';

const MOST_AT_ONCE = 100;

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
   * As many of them as there is room for. @returns whether there was one.
   *
   * @throws when one is not what comes first in its lane: we and the store disagree.
   */
  async next(lanes: Lanes, isStill: () => boolean): Promise<boolean> {
    const { memory, holder } = this.options;
    if (lanes.absent.size === 0) return false;
    const due = [...lanes.absent].slice(0, MOST_AT_ONCE);
    const count = memory.toRecall(
      holder,
      due.map(({ head }) => fullBytesOf(head!)),
    );
    if (count === 0) return false;
    const some = due.slice(0, count);
    const found = await memory.fill(count, () => this.ask(some));
    if (!isStill()) return false;
    memory.learn(found);
    some.forEach((lane, i) => lanes.remember(lane, found[i]!));
    return true;
  }

  /** In the order of the lanes. */
  private async ask(lanes: readonly Lane[]): Promise<StoredEntry[]> {
    const { leases, ref } = this.options;
    const pending = lanes.filter(({ head }) => !head!.held).map(({ head }) => head!.offset);
    const asked = pending.length > 0 ? leases.contents(ref, pending) : [];
    const held = lanes.filter(({ head }) => head!.held);
    const firsts = await Promise.all(held.map((lane) => this.firstHeld(lane)));
    const all = new Map([...(await asked), ...firsts].map((entry) => [entry.offset, entry]));
    return lanes.map(({ head }) => all.get(head!.offset)!);
  }

  private async firstHeld({ name, head }: Lane): Promise<StoredEntry> {
    const { leases, ref } = this.options;
    const [first] = await leases.heldEntries(ref, name, { from: 0, count: 1 });
    if (first?.offset === head!.offset) return first;
    throw new Error(`${head!.offset} is not the next one of its lane`);
  }
}
