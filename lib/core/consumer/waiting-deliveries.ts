import { type Clock, sleep } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import type {
  ClaimReply,
  DeliveredEntry,
  DeliveryStore,
  GroupQueue,
} from '../store/delivery-store.js';
import type { Capacity } from './capacity.js';
import { eachQueue } from './each-queue.js';
import type { WaitingWatch } from './waiting-watch.js';

export interface WaitingDeliveriesOptions {
  refs: readonly GroupQueue[];
  consumer: string;
  deliveries: DeliveryStore;
  clock: Clock;
  capacity: Capacity;
  /** Tells what others left behind. */
  watch: WaitingWatch;
  /** How many more messages may be in hand, by their bytes. */
  fits(): number;
  accept(entries: DeliveredEntry[], queue: number): void;
  /** Whether nothing of the queue can be settled: then nothing of it is handed out either. */
  isStuck(queue: number): boolean;
  /** Run this delivery alone; resolves when it is settled, refused by the store, or given up to others. */
  runAlone(entry: DeliveredEntry): Promise<void>;
  /** Others may start again. */
  afterSuspects(): void;
  onError(error: unknown): void;
}

/** How often is looked whether enough of what is in hand has ended, when it has too many bytes. */
const TOO_LARGE_MS = 10;

/** How long a queue is left alone whose waiting deliveries the store refuses to hand out. */
const REFUSED_PAUSE_MS = 5_000;
/** Likewise one of which nothing can be settled. */
const STUCK_PAUSE_MS = 1_000;

/**
 * Deliveries that wait for their next attempt: claimed when they fall due and a slot is free.
 *
 * Who sets a retry knows when it is due; so does everybody who asked the queue since. A watch tells the rest, such
 * as the retries of a process that died.
 */
export class WaitingDeliveries {
  private readonly options: WaitingDeliveriesOptions;
  /** When each queue is to be asked next, by the monotonic clock. */
  private readonly dueAt: number[];
  /** Queues the store refused when they were asked last: left alone for their pause, whatever is noticed there. */
  private readonly refused = new Set<number>();
  /** The queue that is asked now, and what is expected of it meanwhile: the answer may not know of it. */
  private asking: { readonly queue: number; expectedAt: number } | undefined;
  private readonly loop: Loop;

  constructor(options: WaitingDeliveriesOptions) {
    this.options = options;
    this.dueAt = options.refs.map(() => -Infinity);
    this.loop = new Loop({
      name: 'waiting deliveries',
      clock: options.clock,
      step: (signal) => this.claimAllDue(signal),
      onError: options.onError,
    });
  }

  get refs(): readonly GroupQueue[] {
    return this.options.refs;
  }

  start(): void {
    this.loop.start();
    this.options.watch.add(this);
  }

  stop(): Promise<void> {
    this.options.watch.remove(this);
    return this.loop.stop();
  }

  /** One more, behind those there are. */
  addQueue(): void {
    this.dueAt.push(-Infinity);
    this.loop.wake();
  }

  /** Something of this queue falls due in `delayMs`: it was put there, or taken over, just now. */
  expect(queue: number, delayMs: number): void {
    const at = this.options.clock.monotonic() + delayMs;
    const { asking } = this;
    if (asking?.queue === queue) asking.expectedAt = Math.min(asking.expectedAt, at);
    if (at >= this.dueAt[queue]!) return;
    this.dueAt[queue] = at;
    this.loop.wake();
  }

  /** The watch says so: of a queue that is refused it does each time. */
  notice(queue: number, delayMs: number): void {
    if (!this.refused.has(queue)) this.expect(queue, delayMs);
  }

  /** Whether something is due that only lacks a free slot. */
  get overdue(): boolean {
    const now = this.options.clock.monotonic();
    return this.dueAt.some((at) => at <= now);
  }

  private async claimAllDue(signal: AbortSignal): Promise<number> {
    const { clock, capacity, refs, fits, isStuck, onError } = this.options;
    await eachQueue(refs, {
      visit: async ({ queue }) => {
        while (this.dueAt[queue]! <= clock.monotonic() && !signal.aborted) {
          await capacity.whenFree(signal);
          while (fits() <= 0 && !signal.aborted) await sleep(clock, TOO_LARGE_MS, signal);
          if (signal.aborted) return;
          if (isStuck(queue)) this.dueAt[queue] = clock.monotonic() + STUCK_PAUSE_MS;
          else await this.claim(queue, signal);
        }
      },
      onRefusal: (error, { queue }) => {
        // Not overdue meanwhile, or new messages would be left without the slots that are kept for it.
        this.dueAt[queue] = clock.monotonic() + REFUSED_PAUSE_MS;
        this.refused.add(queue);
        onError(error);
      },
    });
    return Math.max(0, Math.min(...this.dueAt) - clock.monotonic());
  }

  private async claim(queue: number, signal: AbortSignal): Promise<void> {
    const { capacity, fits } = this.options;
    const limit = Math.min(capacity.free, fits(), 100);
    if (limit <= 0) return;
    const giveBack = capacity.reserve(limit);
    const reply = await this.ask(queue, { limit, suspect: false }).finally(giveBack);
    this.refused.delete(queue);
    this.options.accept(reply.entries, queue);
    const suspectsLeft =
      reply.entries.length < limit && reply.nextDueAt !== null && reply.nextDueAt <= reply.now;
    if (suspectsLeft) await this.runSuspects(queue, signal);
  }

  /** One after the other, with nothing else of this subscription running: whoever crashes the process is found out. */
  private async runSuspects(queue: number, signal: AbortSignal): Promise<void> {
    const { capacity, isStuck, runAlone, afterSuspects } = this.options;
    const release = await capacity.takeAlone(signal);
    try {
      for (;;) {
        // One that could not be settled must not keep the others waiting.
        if (signal.aborted || isStuck(queue) || capacity.isPaused) return;
        const reply = await this.ask(queue, { limit: 1, suspect: true });
        if (reply.entries.length === 0) return;
        for (const entry of reply.entries) await runAlone(entry);
      }
    } finally {
      release();
      afterSuspects();
    }
  }

  private async ask(
    queue: number,
    claim: { limit: number; suspect: boolean },
  ): Promise<ClaimReply> {
    const { deliveries, refs, consumer, clock } = this.options;
    const asking = { queue, expectedAt: Infinity };
    this.asking = asking;
    try {
      const reply = await deliveries.claimDue(refs[queue]!, { consumer, ...claim });
      const { nextDueAt, now } = reply;
      const inMs = nextDueAt === null ? Infinity : Math.max(0, nextDueAt - now);
      this.dueAt[queue] = Math.min(clock.monotonic() + inMs, asking.expectedAt);
      return reply;
    } finally {
      this.asking = undefined;
    }
  }
}
