import type { StoredEntry } from '../../store/refs.js';
import { ByteBudget, bytesOf } from '../byte-budget.js';
import { Lanes } from './lanes.js';
import type { OrderedTiming } from './ordered-timing.js';

const READ_AT_ONCE = 200;

/** A queue with messages in memory. */
export interface Holder {
  /** Bytes of the messages in its lanes. */
  readonly bytes: number;
  /** No handler of it runs, and none may start. */
  readonly isIdle: boolean;
  /** Whatever does not run soon need not be in memory. */
  relieve(): void;
  /** There may be room. */
  wake(): void;
}

/**
 * How many more messages an ordered subscription may have in memory, by their bytes, over all queues that this process owns.
 *
 * What waits for another attempt gives its room up as soon as somebody wants it: of such messages only the offsets are kept,
 * and they are asked for again when their time comes. So failing messages are in the way of nobody.
 */
export class LaneMemory {
  /** Most bytes that follow the head of one lane: handlers that hang, in every slot, leave half to others. */
  private readonly laneBytes: number;
  private readonly budget: ByteBudget;
  private readonly mostBytes: number;
  private readonly holders: () => Iterable<Holder>;
  /** Messages asked for, and not there yet. */
  private asked = 0;
  private readonly waiting = new Set<Holder>();

  constructor(options: { mostBytes: number; concurrency: number; holders(): Iterable<Holder> }) {
    this.budget = new ByteBudget({ mostBytes: options.mostBytes });
    this.mostBytes = options.mostBytes;
    this.laneBytes = Math.floor(options.mostBytes / (2 * options.concurrency));
    this.holders = () => options.holders();
  }

  /** For a queue of which nothing is in memory. */
  lanes({ laneBuffer }: OrderedTiming): Lanes {
    return new Lanes({ laneBuffer, laneBytes: this.laneBytes });
  }

  /** How many messages of one lane may wait. */
  private get perLane(): number {
    return Math.max(1, this.budget.roomBeside(this.mostBytes - this.laneBytes));
  }

  /** How many more messages fit. */
  get room(): number {
    return Math.max(0, this.budget.roomBeside(this.held) - this.asked);
  }

  private get held(): number {
    let held = 0;
    for (const { bytes } of this.holders()) held += bytes;
    return held;
  }

  /** Likewise, for this queue: nothing while others wait that asked before. It is woken once that may have changed. */
  roomFor(holder: Holder): number {
    if (this.room === 0) for (const each of this.holders()) each.relieve();
    const { room, waiting } = this;
    if (room > 0 && waiting.size === (waiting.has(holder) ? 1 : 0)) {
      waiting.delete(holder);
      return room;
    }
    waiting.add(holder);
    return 0;
  }

  /** As `roomFor`, for what a lane needs to go on: one at least when nothing else makes its queue go on. */
  mustHave(holder: Holder): number {
    const room = this.roomFor(holder);
    return room === 0 && holder.isIdle ? 1 : Math.min(room, this.perLane);
  }

  /** Of messages with so many bytes each, how many may be asked for again: one when nothing else makes the queue go on. */
  toRecall(holder: Holder, sizes: readonly number[]): number {
    const mayHave = this.roomFor(holder) > 0;
    const free = this.mostBytes - this.held - this.asked * this.budget.expectedBytes;
    // The other half is for news: what fails again and again must not be in its way.
    let left = free / 2;
    const tooMany = sizes.findIndex((size) => (left -= size) < 0);
    const fitting = tooMany < 0 ? sizes.length : Math.max(tooMany, sizes[0]! <= free ? 1 : 0);
    return Math.max(mayHave ? fitting : 0, holder.isIdle ? 1 : 0);
  }

  /** How many messages are to be read into `lanes`; 0 when there is no room, or for too few to be worth a call. */
  toRead(holder: Holder, lanes: Lanes, { queueBuffer, maxLanes }: OrderedTiming): number {
    const newLanes = maxLanes - lanes.headCount;
    if (newLanes <= 0) return 0;
    const left = (): number => queueBuffer - lanes.waitingInMemory;
    if (left() < READ_AT_ONCE) lanes.relieve();
    if (left() < Math.min(READ_AT_ONCE, queueBuffer / 2)) return 0;
    return Math.min(READ_AT_ONCE, left(), newLanes, this.roomFor(holder));
  }

  /** Ask for so many, with `read`: until they are there, nobody else may have their room. */
  async fill<T>(count: number, read: () => Promise<T>): Promise<T> {
    this.asked += count;
    try {
      return await read();
    } finally {
      this.asked -= count;
    }
  }

  /** These were read. */
  learn(entries: readonly StoredEntry[]): void {
    this.budget.learn(entries.map(bytesOf));
  }

  /** Something has left the lanes, or may have. */
  freed(): void {
    if (this.waiting.size === 0 || this.room === 0) return;
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const holder of waiting) holder.wake();
  }
}
