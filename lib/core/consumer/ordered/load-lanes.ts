import type { GroupQueue } from '../../store/delivery-store.js';
import type { LeaseProof, QueueLeaseStore } from '../../store/queue-lease-store.js';
import type { Admission } from './admission.js';
import { Lanes } from './lanes.js';

const LOADED_AT_ONCE = 1_000;

/**
 * The lanes of a queue as the store has them: all that is delivered and not settled.
 *
 * @returns undefined once `isWanted` says no.
 * @throws when the store does not take us for the owner any more.
 */
export async function loadLanes(options: {
  leases: QueueLeaseStore;
  ref: GroupQueue;
  proof: LeaseProof;
  admission: Admission;
  laneBuffer: number;
  isWanted(): boolean;
}): Promise<Lanes | undefined> {
  const { leases, ref, proof, admission, isWanted } = options;
  const lanes = new Lanes(options);
  for (let after: string | null = null, last = false; !last;) {
    const page = await leases.load(ref, proof, { after, count: LOADED_AT_ONCE });
    if (!isWanted()) return undefined;
    if (page.state !== 'loaded') throw new Error(`queue ${ref.queue}: ${page.state}`);
    if (after === null) lanes.restore(page.records, page.held);
    for (const entry of page.entries) {
      const name = admission.laneOf(entry);
      if (name === undefined) break;
      lanes.arrive(name, entry);
    }
    after = page.entries.at(-1)?.offset ?? after;
    last = page.last;
  }
  return lanes;
}
