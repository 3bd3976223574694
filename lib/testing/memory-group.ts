import type { DeadLetterEntry } from '../core/store/dead-letter-store.js';
import type { DeliveredEntry } from '../core/store/delivery-store.js';
import { type Attempts, FIRST_ATTEMPT, isSuspect, started } from './memory-attempts.js';
import type { MemoryQueue } from './memory-queue.js';
import { MemorySteadyTime } from './memory-steady-time.js';

export interface Pending {
  readonly offset: string;
  /** Null: nobody's, it waits for `dueAt`. */
  holder: string | null;
  deliveryCount: number;
  /** When it was handed out or last renewed. */
  since: number;
  /** By a clock that is not set back; only meaningful while it waits. */
  dueAt: number;
}

/** Progress of one consumer group in one queue: a stream's consumer group with the library's own attempt records. */
export class MemoryGroup {
  readonly name: string;
  readonly queue: MemoryQueue;
  readonly consumers = new Set<string>();
  /** In order of their offsets: they are added by reading, which only goes forward. */
  readonly pending = new Map<string, Pending>();
  private readonly attempts = new Map<string, Attempts>();
  private readonly steady = new MemorySteadyTime();
  /** Everything up to here was handed out. */
  position: string;

  constructor(options: { name: string; queue: MemoryQueue; start: string }) {
    this.name = options.name;
    this.queue = options.queue;
    this.position = options.start;
  }

  attemptsOf(offset: string): Attempts {
    return this.attempts.get(offset) ?? FIRST_ATTEMPT;
  }

  /** Hand out what nobody was given before. */
  readNew(consumer: string, limit: number, now: number): DeliveredEntry[] {
    this.consumers.add(consumer);
    const fresh: string[] = [];
    for (const { offset } of this.queue.after(this.position)) {
      if (fresh.length === limit) break;
      fresh.push(offset);
    }
    return fresh.map((offset) => {
      this.position = offset;
      this.pending.set(offset, {
        offset,
        holder: consumer,
        deliveryCount: 1,
        since: now,
        dueAt: 0,
      });
      return this.delivered(offset, 1);
    });
  }

  /** Waiting deliveries, the one that is due first in front, and in how many milliseconds each is. */
  waiting(now: number): { delivery: Pending; inMs: number }[] {
    const waiting = [...this.pending.values()].filter(({ holder }) => holder === null);
    if (waiting.length === 0) this.steady.forget();
    const steady = this.steady.at(now);
    // The sort is stable, so equal times keep the order of the offsets.
    return waiting
      .sort((a, b) => a.dueAt - b.dueAt)
      .map((delivery) => ({ delivery, inMs: delivery.dueAt - steady }));
  }

  isSuspect(offset: string): boolean {
    return isSuspect(this.attemptsOf(offset));
  }

  /** Hand a waiting delivery out again. The start is recorded before it happens. */
  claim(delivery: Pending, consumer: string, now: number): DeliveredEntry {
    this.consumers.add(consumer);
    this.attempts.set(delivery.offset, started(this.attemptsOf(delivery.offset)));
    delivery.holder = consumer;
    delivery.deliveryCount += 1;
    delivery.since = now;
    return this.delivered(delivery.offset, delivery.deliveryCount);
  }

  /** Take a delivery out of its holder's hands for `delayMs`. */
  putBack(
    delivery: Pending,
    attempts: Attempts,
    { now, delayMs }: { now: number; delayMs: number },
  ): void {
    this.attempts.set(delivery.offset, attempts);
    delivery.holder = null;
    delivery.dueAt = this.steady.note(now) + delayMs;
  }

  /** It is done with, one way or the other. */
  forget(offset: string): void {
    this.pending.delete(offset);
    this.attempts.delete(offset);
  }

  heldBy(consumer: string): Pending[] {
    return [...this.pending.values()].filter(({ holder }) => holder === consumer);
  }

  private delivered(offset: string, deliveryCount: number): DeliveredEntry {
    const { starts, history } = this.attemptsOf(offset);
    const suspect = this.isSuspect(offset);
    return { ...this.queue.read(offset), attempt: starts, deliveryCount, suspect, history };
  }
}

/** What a group gave up on. Survives the loss of the group. */
export class MemoryDeadLetters {
  readonly letters: DeadLetterEntry[] = [];
  private lastMs = 0;
  private lastSeq = 0;

  add(letter: Omit<DeadLetterEntry, 'id'>, now: number): void {
    if (now > this.lastMs) {
      this.lastMs = now;
      this.lastSeq = 0;
    } else this.lastSeq += 1;
    this.letters.push({ ...letter, id: `${this.lastMs}-${this.lastSeq}` });
  }
}
