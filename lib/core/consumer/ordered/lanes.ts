import { compareOffsets } from '../../message/offset.js';
import type { DeliveredEntry } from '../../store/delivery-store.js';
import type { HeldLane, LaneRecord } from '../../store/queue-lease-store.js';
import type { StoredEntry } from '../../store/refs.js';

/** The message of a lane that is next, or under way; `attempt` is that of its next start. */
export interface Head extends DeliveredEntry {
  /** It stands among what the lane holds, not in the pending list. */
  readonly held: boolean;
}

/** What the store holds of a lane. */
interface Hold {
  parked: boolean;
  /** Offset of the first message held: deliveries before it run first. */
  from: string;
  count: number;
  /** Read from the front of what is held, in order. */
  peeked: StoredEntry[];
  /** Deliveries that are to be moved behind it. */
  arriving: StoredEntry[];
  /** Steps over what is held that the store has not confirmed. */
  unconfirmed: number;
}

export interface Lane {
  readonly name: string;
  /**
   * `ready`: its head may start. `busy`: its head is under way. `waiting`: its head waits for its next attempt.
   * `blocked`: a handler that no longer counts still runs. `idle`: nothing can start.
   */
  state: 'idle' | 'ready' | 'busy' | 'waiting' | 'blocked';
  head: Head | undefined;
  followers: StoredEntry[];
  hold: Hold | undefined;
  /** What the store knows of a head that was started before. */
  record: LaneRecord | undefined;
}

/**
 * The lanes of one queue in its owner's memory: who is next, who waits, and what is put aside.
 *
 * Bookkeeping only: it tells nobody. A lane runs what is in the pending list first, then what is held; what arrives
 * while something is held is put behind that.
 */
export class Lanes {
  private readonly laneBuffer: number;
  private readonly all = new Map<string, Lane>();
  private readonly ready: Lane[] = [];
  private readonly suspects: Lane[] = [];
  /** With deliveries that are to be moved to what they hold. */
  readonly moving = new Set<Lane>();
  /** Whose held messages are to be looked at. */
  readonly peeking = new Set<Lane>();
  /** Followers of all lanes. */
  private stored = 0;

  constructor(options: { laneBuffer: number }) {
    this.laneBuffer = options.laneBuffer;
  }

  /** Messages in memory whose turn has not come. */
  get waitingInMemory(): number {
    return this.stored + this.ready.length;
  }

  get readyCount(): number {
    return this.ready.length;
  }

  get hasReady(): boolean {
    return this.ready.length > 0;
  }

  get hasParked(): boolean {
    return this.values().some(({ hold }) => hold?.parked);
  }

  find(name: string): Lane | undefined {
    return this.all.get(name);
  }

  values(): Lane[] {
    return [...this.all.values()];
  }

  /** What the store told when the queue was loaded; before any delivery arrives. */
  restore(records: readonly LaneRecord[], held: readonly HeldLane[]): void {
    for (const { lane, state, from, count } of held)
      this.laneOf(lane).hold = { ...newHold(from), parked: state === 'parked', count };
    for (const record of records) this.laneOf(record.lane).record = record;
  }

  /** A delivery, in the order of the queue. */
  arrive(name: string, entry: StoredEntry): Lane {
    const lane = this.laneOf(name);
    const { hold } = lane;
    if (hold && compareOffsets(entry.offset, hold.from) >= 0) this.putAside(lane, [entry]);
    else if (!hold && lane.followers.length >= this.laneBuffer) this.putAside(lane, [entry]);
    else {
      lane.followers.push(entry);
      this.stored += 1;
    }
    return lane;
  }

  /** Lanes whose heads wait keep nothing else in memory: others need the room. */
  relieve(): void {
    for (const lane of this.all.values()) {
      // What is held already is newer than what follows, and cannot be overtaken by it.
      if (lane.state !== 'waiting' || lane.followers.length === 0 || lane.hold) continue;
      const followers = lane.followers.splice(0);
      this.stored -= followers.length;
      this.putAside(lane, followers);
    }
  }

  /** Choose the head of a lane that has none. Answers whether there is one that is not under way. */
  choose(lane: Lane): boolean {
    if (lane.state !== 'idle') return false;
    lane.head ??= this.nextHead(lane);
    if (!lane.head && !lane.hold && lane.followers.length === 0) this.all.delete(lane.name);
    return lane.head !== undefined;
  }

  /** Its head may start; suspects wait to run alone. */
  makeReady(lane: Lane): void {
    lane.state = 'ready';
    (lane.head!.suspect ? this.suspects : this.ready).push(lane);
  }

  takeReady(): Lane | undefined {
    return this.ready.shift();
  }

  takeSuspect(): Lane | undefined {
    return this.suspects.shift();
  }

  /** Its head waits for another attempt. */
  wait(lane: Lane, next: { attempt: number; history: string; suspect: boolean }): void {
    lane.head = { ...lane.head!, ...next };
    lane.state = 'waiting';
  }

  /** Its head is done with. */
  advance(lane: Lane): void {
    if (lane.head?.held) lane.hold!.count -= 1;
    rest(lane);
  }

  /** It waits for the operator. @returns the deliveries that go in front of what it holds. */
  park(lane: Lane): StoredEntry[] {
    const head = lane.head!;
    const moved = head.held ? [] : [head, ...lane.followers.splice(0)];
    this.stored -= Math.max(0, moved.length - 1);
    const hold = lane.hold ?? newHold(head.offset);
    const from = head.held ? hold.from : head.offset;
    lane.hold = { ...hold, from, parked: true, count: hold.count + moved.length, peeked: [] };
    rest(lane);
    return moved;
  }

  /** What is to be moved next of a lane; it counts as held. */
  takeArriving(lane: Lane, most: number): StoredEntry[] {
    const hold = lane.hold!;
    const taken = hold.arriving.splice(0, most);
    hold.count += taken.length;
    if (hold.arriving.length === 0) this.moving.delete(lane);
    return taken;
  }

  /** An operator changed what is held: only what the store says now counts. */
  refresh(held: readonly HeldLane[]): Lane[] {
    const now = new Map(held.map((each) => [each.lane, each]));
    const resumed = [...this.all.values()].filter(
      ({ name, hold }) => hold?.parked && now.get(name)?.state !== 'parked',
    );
    for (const { name, hold } of resumed)
      Object.assign(hold!, { parked: false, count: now.get(name)?.count ?? 0, peeked: [] });
    return resumed;
  }

  private nextHead(lane: Lane): Head | undefined {
    const entry = lane.followers.shift();
    if (entry) {
      this.stored -= 1;
      return headOf(lane, entry, false);
    }
    const { hold } = lane;
    if (!hold || hold.parked) return undefined;
    const held = hold.peeked.shift();
    if (held) return headOf(lane, held, true);
    if (hold.count > 0) this.peeking.add(lane);
    else if (hold.arriving.length === 0 && hold.unconfirmed === 0) lane.hold = undefined;
    return undefined;
  }

  private putAside(lane: Lane, entries: readonly StoredEntry[]): void {
    lane.hold ??= newHold(entries[0]!.offset);
    lane.hold.arriving.push(...entries);
    this.moving.add(lane);
  }

  private laneOf(name: string): Lane {
    let lane = this.all.get(name);
    if (!lane) {
      lane = {
        name,
        state: 'idle',
        head: undefined,
        followers: [],
        hold: undefined,
        record: undefined,
      };
      this.all.set(name, lane);
    }
    return lane;
  }
}

function headOf({ record }: Lane, entry: StoredEntry, held: boolean): Head {
  const known = record?.offset === entry.offset ? record : undefined;
  // Spelled out: copying the entry took longer than all else about it.
  return {
    topic: entry.topic,
    queue: entry.queue,
    offset: entry.offset,
    content: entry.content,
    deliveryCount: 1,
    attempt: known?.attempt ?? 1,
    suspect: known?.suspect ?? false,
    history: known?.history ?? '',
    held,
  };
}

/** No message of it is under way. */
function rest(lane: Lane): void {
  lane.head = undefined;
  lane.record = undefined;
  lane.state = 'idle';
}

function newHold(from: string): Hold {
  return { parked: false, from, count: 0, peeked: [], arriving: [], unconfirmed: 0 };
}
