import { QueueFaultedError } from '../message/errors.js';
import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import { turnEnd } from '../runtime/turn.js';
import type { DeliveredEntry, GroupReader } from '../store/delivery-store.js';
import type { QueueRef } from '../store/refs.js';
import type { Capacity } from './capacity.js';
import { Pace } from './pace.js';
import { type PlannedRead, ReadPlan } from './read-plan.js';

export interface FetchLoopOptions {
  name: string;
  /** What is read; may change while the loop runs. */
  queues(): readonly QueueRef[];
  reader: GroupReader;
  capacity: Capacity;
  clock: Clock;
  /** Longest wait of one read. */
  blockMs: number;
  /** Whether nothing of this queue can be settled: then nothing is read from it either. */
  isStuck(ref: QueueRef): boolean;
  /** Whether deliveries that wait for another attempt should get the free slots first. */
  overdue(): boolean;
  /** How many messages to ask for when so many slots are free; 0 when those in hand are too large for more. */
  toRead(free: number): number;
  /** The next read leaves now, and whatever leaves together with it costs the store and this process less. */
  beforeRead?(): void;
  accept(entries: DeliveredEntry[]): void;
  /** One queue cannot be read. It is left out for the answered milliseconds. */
  onFault(fault: QueueFaultedError): Promise<number>;
  onRecovered(ref: QueueRef): void;
  /** A read failed: what its reply held is in our name and not in our hands. */
  onError(error: unknown): void;
}

/** How often is looked whether enough of what is in hand has ended, when it has too many bytes. */
const TOO_LARGE_MS = 10;

/**
 * The next messages are read before those in front of them begin when, at the present pace, all of them will have ended
 * within this. If handlers take longer this time, a message waits here that another process might have handled.
 */
const AHEAD_MS = 5;

/**
 * A read that waits asks all queues, and mostly one of them has something. If handlers end fast, each is asked for more
 * than its share of the free slots: what finds none waits here for about so long. Shares cut a burst in one queue into
 * several reads, each with its own settles and answers.
 */
const SOON_MS = 20;
/** So many times the slots are read beyond them, however fast handlers end. */
const MOST_BEYOND = 4;

/** A class, as all that lives until its answer (decision 7). */
class Reading {
  readonly planned: PlannedRead;
  readonly signal: AbortSignal;
  readonly entries: Promise<DeliveredEntry[]>;
  /** Handlers have something to do again, or nothing came. */
  readonly endRest: () => void;
  /** Its messages went to their handlers when they came. */
  isTaken = false;

  constructor(
    planned: PlannedRead,
    signal: AbortSignal,
    entries: Promise<DeliveredEntry[]>,
    endRest = (): void => {},
  ) {
    this.planned = planned;
    this.signal = signal;
    this.entries = entries;
    this.endRest = endRest;
  }
}

/**
 * Read while there is capacity. Handlers that end at once find the next messages read already.
 */
export class FetchLoop {
  private readonly options: FetchLoopOptions;
  private readonly loop: Loop;
  /** Queues left out, until when by the monotonic clock. */
  private readonly faulted = new Map<string, { ref: QueueRef; until: number }>();
  private readonly plan: ReadPlan;
  private readonly pace: Pace;
  /** Read before the messages in front of it were handled. */
  private ahead: Reading | undefined;
  /** Waits in the store. What the store has of a read leads to here, not to the read: it may live longer than that. */
  private blocked: Reading | undefined;

  constructor(options: FetchLoopOptions) {
    this.options = options;
    this.plan = new ReadPlan({ blockMs: options.blockMs });
    this.pace = new Pace({ now: options.clock.monotonic() });
    this.loop = new Loop({
      name: options.name,
      clock: options.clock,
      step: (signal) => this.fetch(signal),
      onError: (error) => options.onError(error),
    });
  }

  start(): void {
    this.loop.start();
  }

  /** Ends a waiting read, too. What a read still brings is accepted. */
  async stop(): Promise<void> {
    const stopped = this.loop.stop();
    await this.options.reader.close();
    await stopped;
    const { ahead } = this;
    this.ahead = undefined;
    if (!ahead) return;
    const entries = await ahead.entries.catch(() => []);
    if (!ahead.isTaken) this.options.accept(entries);
  }

  private async fetch(signal: AbortSignal): Promise<number> {
    // Handlers that end together free their slots one by one: half of the reads were for one message. And one pass after
    // the other within a turn would let nothing else run until the backlog is done.
    const { clock, capacity } = this.options;
    const restsSince = capacity.inUse === 0 ? clock.monotonic() : undefined;
    await turnEnd();
    const now = clock.monotonic();
    // With a thousand topics a turn takes longer than the handlers of this one.
    if (restsSince !== undefined && capacity.inUse === 0) this.pace.rested(now - restsSince);
    this.pace.note(now, capacity.handledInAll);
    const reading = this.ahead ?? (await this.readWhenFree(signal));
    this.ahead = undefined;
    if (typeof reading === 'number') return reading;
    try {
      this.take(reading, await reading.entries);
      return 0;
    } catch (error) {
      reading.endRest();
      if (!(error instanceof QueueFaultedError)) {
        // A read that waits also waits for the connection.
        this.plan.forget();
        throw error;
      }
      const pauseMs = await this.options.onFault(error);
      const until = this.options.clock.monotonic() + pauseMs;
      this.faulted.set(nameOf(error), { ref: error, until });
      return 0;
    }
  }

  /** @returns how long to wait, when there is nothing to be read now. */
  private async readWhenFree(signal: AbortSignal): Promise<Reading | number> {
    const { capacity } = this.options;
    if (capacity.free === 0) {
      await capacity.whenFree(signal);
      await turnEnd();
    }
    if (signal.aborted) return 0;
    const healthy = this.healthy();
    // What waits for another attempt is older: half of the slots are left to it, or this turn if there is only one.
    const isOverdue = this.options.overdue();
    const free = isOverdue ? Math.floor(capacity.free / 2) : capacity.free;
    if (free <= 0 || healthy.length === 0) return healthy.length === 0 ? 100 : 1;
    const wanted = this.options.toRead(free);
    if (wanted <= 0) return TOO_LARGE_MS;
    const soonFree = isOverdue ? 0 : this.soonFree();
    const atMost = isOverdue ? wanted : this.options.toRead(free + soonFree);
    // A burst as large as the slots is read whole, and the read shows that it was all: another one to find nothing would cost as much.
    const ofOne = free === capacity.limit && soonFree >= free ? wanted + (wanted >> 2) : wanted;
    return this.read(this.plan.next(healthy, wanted, { atMost, ofOne }), signal);
  }

  /** How many slots, besides those that are free, will be free again in a moment. */
  private soonFree(): number {
    const { capacity } = this.options;
    if (capacity.isThrottled) return 0;
    return Math.min(this.pace.within(SOON_MS), capacity.limit * MOST_BEYOND);
  }

  private read(planned: PlannedRead, signal: AbortSignal, { leavesNow = false } = {}): Reading {
    const { reader, beforeRead } = this.options;
    const { queues, perQueue, blockMs } = planned;
    beforeRead?.();
    if (blockMs === 0) {
      const asked = reader.read({ queues, perQueue, blockMs, signal, leavesNow });
      return new Reading(planned, signal, asked);
    }
    const { onArrival } = this;
    const entries = reader.read({ queues, perQueue, blockMs, signal, onArrival });
    this.blocked = new Reading(planned, signal, entries, this.watchRest());
    return this.blocked;
  }

  private readonly onArrival = (entries: DeliveredEntry[]): void =>
    this.take(this.blocked!, entries);

  private take(reading: Reading, entries: DeliveredEntry[]): void {
    if (reading.isTaken) return;
    reading.isTaken = true;
    if (reading === this.blocked) this.blocked = undefined;
    reading.endRest();
    const { planned, signal } = reading;
    // No queue can have had all it was asked for: there is nothing to read ahead, and what is to be learned can wait.
    const isLittle = entries.length < planned.perQueue;
    if (isLittle) this.options.accept(entries);
    this.plan.learn(planned, entries);
    if (isLittle) return;
    this.readAhead(entries.length, signal);
    this.options.accept(entries);
  }

  /** How fast handlers end is not told by the time in which none has anything to do. Ended by the returned function. */
  private watchRest(): () => void {
    const { clock, capacity } = this.options;
    let restsSince = capacity.inUse === 0 ? clock.monotonic() : undefined;
    capacity.onIdle = () => (restsSince ??= clock.monotonic());
    return () => {
      capacity.onIdle = undefined;
      if (restsSince !== undefined && capacity.inUse === 0)
        this.pace.rested(clock.monotonic() - restsSince);
      restsSince = undefined;
    };
  }

  /**
   * Let the store work while handlers run, on what they will have slots for then. `arrived`: how many are about to begin.
   */
  private readAhead(arrived: number, signal: AbortSignal): void {
    const { overdue, toRead } = this.options;
    const room = this.plan.hasMore && !signal.aborted && !overdue() ? this.roomAhead(arrived) : 0;
    const healthy = room > 0 ? this.healthy() : [];
    const wanted = healthy.length > 0 ? toRead(room) : 0;
    if (wanted <= 0) return;
    this.ahead = this.read(this.plan.next(healthy, wanted), signal, { leavesNow: true });
    // Whoever takes it next hears of it; nobody may be there yet.
    this.ahead.entries.catch(() => undefined);
  }

  private roomAhead(arrived: number): number {
    const { capacity } = this.options;
    if (!capacity.takesMore || capacity.isThrottled) return 0;
    return Math.min(this.pace.within(AHEAD_MS) - capacity.inHand - arrived, capacity.limit);
  }

  private healthy(): QueueRef[] {
    const { queues, clock, isStuck, onRecovered } = this.options;
    const now = clock.monotonic();
    for (const [name, { ref, until }] of this.faulted)
      if (until <= now) {
        this.faulted.delete(name);
        onRecovered(ref);
      }
    const none = this.faulted.size === 0;
    return queues().filter((ref) => (none || !this.faulted.has(nameOf(ref))) && !isStuck(ref));
  }
}

function nameOf({ topic, queue }: QueueRef): string {
  return `${topic}/${queue}`;
}
