import type { GroupQueue } from '../../store/delivery-store.js';
import type { LeaseProof, QueueLeaseStore } from '../../store/queue-lease-store.js';
import type { Admission } from './admission.js';
import type { LaneMemory } from './lane-memory.js';
import type { Lanes } from './lanes.js';

const LOADED_AT_ONCE = 1_000;
const LOADED_AT_LEAST = 16;

/**
 * Fills `lanes` with what the store has: all that is delivered and not settled.
 *
 * @returns false once `isWanted` says no.
 * @throws when the store does not take us for the owner any more.
 */
export async function loadLanes(options: {
  leases: QueueLeaseStore;
  ref: GroupQueue;
  proof: LeaseProof;
  admission: Admission;
  memory: LaneMemory;
  /** Empty; what is in them counts in `memory`. */
  lanes: Lanes;
  isWanted(): boolean;
  /** Told what was deleted from the store before anybody here got hold of it. */
  onLost(offset: string): void;
}): Promise<boolean> {
  const { leases, ref, proof, admission, memory, lanes, isWanted, onLost } = options;
  for (let after: string | null = null, last = false; !last;) {
    // What finds no room is asked for again when its turn comes, but somebody must look to which lane it belongs.
    const count = Math.max(LOADED_AT_LEAST, Math.min(LOADED_AT_ONCE, memory.room));
    const page = await memory.fill(count, () => leases.load(ref, proof, { after, count }));
    if (page.state === 'again') page.lost.forEach(onLost);
    if (!isWanted()) return false;
    if (page.state === 'again') continue;
    if (page.state !== 'loaded') throw new Error(`queue ${ref.queue}: ${page.state}`);
    if (after === null) lanes.restore(page.records, page.held);
    memory.learn(page.entries);
    for (const entry of page.entries) {
      const name = admission.laneOf(entry);
      if (name === undefined) break;
      lanes.arrive(name, entry, memory.room > 0);
    }
    after = page.entries.at(-1)?.offset ?? after;
    last = page.last;
  }
  return true;
}
