import type { DeliveredEntry } from '../store/delivery-store.js';
import type { QueueRef } from '../store/refs.js';
import { SecondLook } from './second-look.js';

/** A read over so many streams costs the server as long as many small ones; the rest have their turn next. */
const MOST_STREAMS = 256;
/** With more queues than that, one of the rest has its turn after so long. */
const ROUND_MS = 500;

export interface PlannedRead {
  queues: QueueRef[];
  perQueue: number;
  blockMs: number;
  /** Waits until any queue has something, with a slot for each of them. */
  waitsOnAll: boolean;
}

/**
 * Which queues the next read asks, and for how much.
 *
 * One read over all queues finds where something is; it can only ask each for its share of the slots. Queues that had
 * all of their share are then read one by one, each for as many messages as there are slots, since one large read and
 * one large settle cost half of what many small ones do; and then, unless these were all, all are asked again. With
 * fewer slots than queues, a read over all of them brings more than there is room for: then the queues have turns until
 * each in a row had nothing.
 */
export class ReadPlan {
  private readonly blockMs: number;
  private turn = 0;
  /** How many queues in a row had less than was asked for. */
  private drained = Infinity;
  /** Queues that had all they were asked for, to be read one by one, and those that had it again. */
  private rich: QueueRef[] = [];
  private richer: QueueRef[] = [];
  private readonly secondLook = new SecondLook();

  constructor(options: { blockMs: number }) {
    this.blockMs = options.blockMs;
  }

  /** Whether the last read brought as much as it asked for. */
  get hasMore(): boolean {
    return this.drained === 0;
  }

  /**
   * `wanted`: how many messages there is room for; `atMost`: how many if several queues have something at once, which is
   * the exception when all of them are waited for; `ofOne`: how many of one of them then.
   */
  next(healthy: QueueRef[], wanted: number, { atMost = wanted, ofOne = wanted } = {}): PlannedRead {
    const count = Math.min(healthy.length, MOST_STREAMS);
    const canAskAll = wanted >= count && count === healthy.length;
    if (this.rich.length === 0 && this.richer.length === healthy.length) this.beginAgain();
    const one = canAskAll ? this.rich.find((ref) => healthy.includes(ref)) : this.inTurn(healthy);
    if (one) {
      this.rich = this.rich.filter((ref) => ref !== one);
      return { queues: [one], perQueue: wanted, blockMs: 0, waitsOnAll: false };
    }
    this.rich = [];
    this.richer = [];
    const from = this.turn % healthy.length;
    this.turn += count < healthy.length ? count : 1;
    const blockMs = canAskAll && this.hasMore ? 0 : this.longestWait(healthy.length);
    const queues: QueueRef[] = [];
    for (let i = 0; i < count; i++) queues.push(healthy[(from + i) % healthy.length]!);
    return {
      queues,
      perQueue: Math.max(1, Math.min(ofOne, Math.floor(Math.max(wanted, atMost) / count))),
      blockMs,
      waitsOnAll: canAskAll && blockMs > 0,
    };
  }

  private longestWait(queues: number): number {
    const rounds = Math.ceil(queues / MOST_STREAMS);
    return rounds === 1 ? this.blockMs : Math.min(this.blockMs, Math.ceil(ROUND_MS / rounds));
  }

  learn(planned: PlannedRead, entries: readonly DeliveredEntry[]): void {
    const { queues, perQueue, waitsOnAll } = planned;
    let full = fullQueues(entries, perQueue);
    if (!waitsOnAll) this.secondLook.brought(entries.length);
    // One queue had exactly what it was asked for: this will have been all, as it was lately.
    else if (full.length === 1 && entries.length === perQueue && !this.secondLook.noteFull())
      full = [];
    if (full.length > 0) this.drained = 0;
    else this.drained += queues.length;
    const found = queues.filter((ref) => full.some((other) => isSame(ref, other)));
    if (queues.length > 1) this.rich = found;
    else this.richer.push(...found);
  }

  /** Whatever was read last says nothing any more. */
  forget(): void {
    this.drained = Infinity;
    this.rich = [];
    this.richer = [];
  }

  /** Each queue had all it was asked for: none can have been forgotten. */
  private beginAgain(): void {
    this.rich = this.richer;
    this.richer = [];
  }

  private inTurn(healthy: QueueRef[]): QueueRef | undefined {
    return this.drained < healthy.length ? healthy[this.turn++ % healthy.length] : undefined;
  }
}

/** Queues that had as much as was asked for. Entries of one queue stand together. */
function fullQueues(entries: readonly DeliveredEntry[], perQueue: number): QueueRef[] {
  const full: QueueRef[] = [];
  let count = 0;
  entries.forEach((entry, i) => {
    const before = entries[i - 1];
    count = before && isSame(before, entry) ? count + 1 : 1;
    if (count === perQueue) full.push(entry);
  });
  return full;
}

function isSame(a: QueueRef, b: QueueRef): boolean {
  return a.queue === b.queue && a.topic === b.topic;
}
