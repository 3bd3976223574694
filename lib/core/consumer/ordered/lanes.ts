import { compareOffsets } from '../../message/offset.js';
import type { HeldLane, LaneRecord } from '../../store/queue-lease-store.js';
import type { StoredEntry } from '../../store/refs.js';
import { bytesOf } from '../byte-budget.js';
import { absent, bytesOfAll, isAbsent } from './absent.js';
import { follow, type Head, type Hold, headOf, type Lane, newHold, rest } from './lane.js';
import { LaneMap } from './lane-map.js';

/**
 * The lanes of one queue in its owner's memory: who is next, who waits, and what is put aside.
 *
 * Bookkeeping only: it tells nobody. A lane runs what is in the pending list first, then what is held; what arrives
 * while something is held is put behind that.
 */
export class Lanes {
  private readonly laneBuffer: number;
  private readonly laneBytes: number;
  private readonly all = new LaneMap();
  private readonly ready: Lane[] = [];
  private readonly suspects: Lane[] = [];
  /** With deliveries that are to be moved to what they hold. */
  readonly moving = new Set<Lane>();
  /** Whose held messages are to be looked at. */
  readonly peeking = new Set<Lane>();
  /** Whose heads may start and are not in memory. */
  readonly absent = new Set<Lane>();
  /** Followers of all lanes. */
  private stored = 0;
  private held = 0;
  private heads = 0;
  private parked = 0;

  /** Most messages that follow in one lane, and most of their bytes. */
  constructor(options: { laneBuffer: number; laneBytes: number }) {
    this.laneBuffer = options.laneBuffer;
    this.laneBytes = options.laneBytes;
  }

  /** Of all messages that are in memory. */
  get bytes(): number {
    return this.held;
  }

  /** Messages in memory whose turn has not come. */
  get waitingInMemory(): number {
    return this.stored + this.ready.length;
  }

  /** Lanes with a message that is under way, or whose turn it is. */
  get headCount(): number {
    return this.heads;
  }

  get readyCount(): number {
    return this.ready.length;
  }

  get hasReady(): boolean {
    return this.ready.length > 0;
  }

  /** As `hasReady`, or so once they are in memory. */
  get hasDue(): boolean {
    return this.hasReady || this.absent.size > 0;
  }

  /** Some can go on only once the store has been asked for what comes next in them. */
  get wantsMore(): boolean {
    return this.peeking.size > 0 || this.absent.size > 0;
  }

  get parkedCount(): number {
    return this.parked;
  }

  find(name: string): Lane | undefined {
    return this.all.find(name);
  }

  values(): Lane[] {
    return [...this.all.values()];
  }

  /** What the store told when the queue was loaded; before any delivery arrives. */
  restore(records: readonly LaneRecord[], held: readonly HeldLane[]): void {
    for (const { lane, state, from, count } of held) {
      const parked = state === 'parked';
      this.all.laneOf(lane).hold = { ...newHold(from), parked, count };
      if (parked) this.parked += 1;
    }
    for (const record of records) this.all.laneOf(record.lane).record = record;
  }

  /** A delivery, in the order of the queue; `hasRoom`: it may stay in memory. */
  arrive(name: string, entry: StoredEntry, hasRoom = true): Lane {
    const lane = this.all.laneOf(name);
    const { hold } = lane;
    if (hold && compareOffsets(entry.offset, hold.from) >= 0) this.putAside(lane, [entry]);
    else if (!hold && lane.followers.length >= this.laneBuffer) this.putAside(lane, [entry]);
    else {
      const bytes = bytesOf(entry);
      const stays = hasRoom && (lane.bytes === 0 || lane.bytes + bytes <= this.laneBytes);
      follow(lane, stays ? entry : absent(entry));
      if (stays) this.count(lane, bytes);
      this.stored += 1;
    }
    return lane;
  }

  /** Lanes whose heads wait keep nothing else in memory: others need the room. */
  relieve(): void {
    for (const lane of this.all.values()) {
      // What is held already is newer than what follows, and cannot be overtaken by it.
      if (lane.state !== 'waiting' || lane.followers.length === 0 || lane.hold) continue;
      this.putAside(lane, this.takeFollowers(lane));
    }
  }

  /** What cannot start soon need not be in memory. */
  forgetWaiting(): void {
    if (this.held === 0) return;
    for (const lane of this.all.values()) {
      if (lane.state === 'ready' || lane.state === 'busy' || lane.state === 'idle') continue;
      if (lane.head) {
        this.held -= bytesOf(lane.head);
        lane.head = absent(lane.head);
      }
      if (lane.bytes > 0) {
        this.count(lane, -lane.bytes);
        lane.followers = lane.followers.map(absent);
      }
      if (lane.hold) this.peeked(lane.hold, []);
    }
  }

  /** The head of the lane is in memory again. */
  remember(lane: Lane, { content }: StoredEntry): void {
    this.absent.delete(lane);
    lane.head = { ...lane.head!, content };
    this.held += bytesOf(lane.head);
    this.makeReady(lane);
  }

  /** Read from the front of what a lane holds. */
  peeked(hold: Hold, entries: StoredEntry[]): void {
    this.held += bytesOfAll(entries) - bytesOfAll(hold.peeked);
    hold.peeked = entries;
  }

  /** Choose the head of a lane that has none. Answers whether there is one that is not under way. */
  choose(lane: Lane): boolean {
    if (lane.state !== 'idle') return false;
    if (!lane.head) {
      lane.head = this.nextHead(lane);
      if (lane.head) this.heads += 1;
    }
    if (!lane.head && !lane.hold && lane.followers.length === 0) this.all.emptied(lane);
    return lane.head !== undefined;
  }

  /** Nothing of the queue is under way. */
  tidy(): void {
    this.all.tidy();
  }

  /** Its head may start, if it is in memory; suspects wait to run alone. */
  makeReady(lane: Lane): void {
    if (isAbsent(lane.head!)) {
      lane.state = 'absent';
      this.absent.add(lane);
      return;
    }
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
    this.leaveHead(lane);
  }

  /** It waits for the operator. @returns the deliveries that go in front of what it holds. */
  park(lane: Lane): StoredEntry[] {
    const head = lane.head!;
    const moved = head.held ? [] : [head, ...this.takeFollowers(lane)];
    const hold = lane.hold ?? newHold(head.offset);
    this.peeked(hold, []);
    const from = head.held ? hold.from : head.offset;
    if (!hold.parked) this.parked += 1;
    lane.hold = { ...hold, from, parked: true, count: hold.count + moved.length };
    this.leaveHead(lane);
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
    this.parked -= resumed.length;
    for (const { name, hold } of resumed)
      Object.assign(hold!, { parked: false, count: now.get(name)?.count ?? 0 });
    return resumed;
  }

  private leaveHead(lane: Lane): void {
    if (lane.head) {
      this.held -= bytesOf(lane.head);
      this.heads -= 1;
    }
    rest(lane);
  }

  private nextHead(lane: Lane): Head | undefined {
    const entry = lane.followers.shift();
    if (entry) {
      this.stored -= 1;
      lane.bytes -= bytesOf(entry);
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

  private count(lane: Lane, bytes: number): void {
    lane.bytes += bytes;
    this.held += bytes;
  }

  private takeFollowers(lane: Lane): StoredEntry[] {
    this.stored -= lane.followers.length;
    this.count(lane, -lane.bytes);
    return lane.followers.splice(0);
  }

  private putAside(lane: Lane, entries: readonly StoredEntry[]): void {
    lane.hold ??= newHold(entries[0]!.offset);
    lane.hold.arriving.push(...entries.map(absent));
    this.moving.add(lane);
  }
}
