import type { GroupQueue } from '../core/store/delivery-store.js';
import type {
  LeaseProof,
  LoadReply,
  QueueLeaseStore,
  ReadReply,
} from '../core/store/queue-lease-store.js';
import type { StoredEntry } from '../core/store/refs.js';
import type { Connections } from './connections.js';
import { readThroughDoor } from './door.js';
import type { RawEntry } from './entry-content.js';
import type { Keys } from './keys.js';
import { entryOf, proofArguments, readEntries, readLoaded, text } from './lease-words.js';
import { orFault } from './queue-fault.js';
import { scripts } from './scripts.js';

/** How the owner of a queue gets its messages: what piled up through a door (decision 31), anything else by a script. */
export class LaneReads implements Pick<QueueLeaseStore, 'load' | 'read' | 'contents'> {
  private readonly connections: Connections;
  private readonly keys: Keys;
  /** Those whose last read brought as much as was asked for, by what their owner calls them: a queue that is lost is forgotten. */
  private readonly full = new WeakSet<GroupQueue>();

  constructor(options: { connections: Connections; keys: Keys }) {
    this.connections = options.connections;
    this.keys = options.keys;
  }

  async load(
    ref: GroupQueue,
    proof: LeaseProof,
    page: { after: string | null; count: number },
  ): Promise<LoadReply> {
    const reply = await orFault(ref, () =>
      scripts.loadLanes.runBinary(this.connections, {
        keys: this.keys.groupQueue(ref),
        args: {
          group: ref.group,
          ...proofArguments(proof),
          after: page.after ?? '',
          count: String(page.count),
        },
      }),
    );
    const word = text(reply[0]);
    if (word === 'page') return readLoaded(ref, reply);
    if (word === 'again') return { state: word, lost: reply.slice(1).map(text) };
    return { state: word as 'fenced' | 'gap' };
  }

  async read(ref: GroupQueue, proof: LeaseProof, count: number): Promise<ReadReply> {
    // Behind a read that brought all it could there is mostly more.
    const wasFull = this.full.delete(ref);
    // MULTI has no key that would send it to a node.
    const isMore = wasFull && this.connections.spansSlots && !this.connections.isSpread;
    const reply = isMore
      ? await this.readBacklog(ref, proof, count)
      : await this.readByScript(ref, proof, count);
    if (reply.state === 'read' && reply.entries.length === count) this.full.add(ref);
    return reply;
  }

  private async readBacklog(ref: GroupQueue, proof: LeaseProof, count: number): Promise<ReadReply> {
    const keys = this.keys.groupQueue(ref);
    const { group } = ref;
    const reply = await orFault(ref, () =>
      readThroughDoor(this.connections.gathered, { keys, group, proof, count }),
    );
    // A server without memory queues nothing for a transaction. The script may run all the same.
    if (reply.state === 'out-of-memory') return this.readByScript(ref, proof, count);
    if (reply.state !== 'read') return reply;
    const { version, nudge } = reply;
    const entries = reply.entries.map((entry) => entryOf(ref, entry));
    const last = entries.at(-1);
    // Only the script knows up to where nothing is.
    if (!last) return this.readByScript(ref, { ...proof, version }, count);
    return { state: 'read', version, nudge, position: last.offset, entries };
  }

  private async readByScript(
    ref: GroupQueue,
    proof: LeaseProof,
    count: number,
  ): Promise<ReadReply> {
    const reply = await orFault(ref, () =>
      scripts.readLanes.runBinary(this.connections, {
        keys: this.keys.groupQueue(ref),
        args: { group: ref.group, ...proofArguments(proof), count: String(count) },
      }),
    );
    const word = text(reply[0]);
    if (word !== 'read') return { state: word as 'fenced' | 'gap' };
    const entries = reply.slice(4) as RawEntry[];
    return {
      state: 'read',
      version: Number(text(reply[1])),
      nudge: Number(text(reply[2])),
      position: text(reply[3]),
      entries: entries.map((entry) => entryOf(ref, entry)),
    };
  }

  async contents(ref: GroupQueue, offsets: readonly string[]): Promise<StoredEntry[]> {
    const reply = await orFault(ref, () =>
      scripts.contents.runBinary(this.connections, {
        keys: this.keys.groupQueue(ref),
        args: { offsets: offsets.join(' ') },
      }),
    );
    return readEntries(ref, reply);
  }
}
