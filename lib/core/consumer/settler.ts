import { setMaxListeners } from 'node:events';
import { setImmediate } from 'node:timers';
import { isRefusal } from '../message/errors.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type {
  DeliveryStore,
  GroupQueue,
  SettleItem,
  SettleReply,
} from '../store/delivery-store.js';

export interface SettlerOptions {
  ref: GroupQueue;
  consumer: string;
  deliveries: DeliveryStore;
  clock: Clock;
  /** Told about each failed try; settling goes on until `close`. */
  onTrouble(error: unknown): void;
}

export type SettleAnswer = SettleReply | 'given-up';

/** A settle, and who waits for its answer. */
export interface SettleTask extends SettleItem {
  /** Called once. */
  answered(answer: SettleAnswer): void;
  /** Called, perhaps again and again, while the store refuses it by itself; it stays to be settled. */
  refused?(): void;
}

const PAUSE_MS = { from: 50, to: 2_000 };
const MOST_PER_CALL = 200;

/**
 * Settles of one queue and group: those of one event-loop turn travel together, and with the next read if one begins.
 *
 * A settle whose answer is lost is sent again until it is answered: the store takes a repeat for what it is, and what is
 * `stale` then is taken for settled, by the first try. A call that is refused is taken apart, so that one delivery that cannot
 * be settled does not hold up its neighbours.
 */
export class Settler {
  private readonly options: SettlerOptions;
  private readonly waiting: SettleTask[] = [];
  /** Calls under way. */
  private readonly calls: SettleTask[][] = [];
  /** Those that the store may have settled already: an answer was lost. */
  private readonly inDoubt = new Set<SettleTask>();
  private planned = false;
  private refused = false;
  private readonly closing = new AbortController();

  constructor(options: SettlerOptions) {
    this.options = options;
    // Every call that waits for its next try listens: in an outage there are many, and none of them is a leak.
    setMaxListeners(0, this.closing.signal);
  }

  /** How many settles have not been answered. */
  get pending(): number {
    return this.calls.reduce((sum, items) => sum + items.length, this.waiting.length);
  }

  /** What has not been answered. */
  held(): SettleItem[] {
    return [...this.waiting, ...this.calls.flat()];
  }

  /** Whether the store refused the last settle by itself: what is handed out now could not be settled either. */
  get isStuck(): boolean {
    return this.refused;
  }

  add(task: SettleTask): void {
    if (this.closing.signal.aborted) return task.answered('given-up');
    this.waiting.push(task);
    if (this.planned) return;
    this.planned = true;
    // The turn after this one: a read that begins when this one ends takes them along (`flush`).
    setImmediate(() =>
      setImmediate(() => {
        this.planned = false;
        this.flush();
      }),
    );
  }

  /** Sends what waits now. */
  flush(): void {
    if (this.waiting.length === 0) return;
    // Not a new list in the place of this one: where little happens it grew old, and would keep what it held once more.
    const waiting = this.waiting.splice(0);
    for (let at = 0; at < waiting.length; at += MOST_PER_CALL)
      void this.deliver(waiting.slice(at, at + MOST_PER_CALL));
  }

  /** Gives up what is not settled: it stays pending and is handed out again by others. */
  close(): void {
    this.closing.abort();
    for (const task of this.waiting.splice(0)) task.answered('given-up');
  }

  private async deliver(tasks: SettleTask[]): Promise<void> {
    this.calls.push(tasks);
    const answers = await this.settle(tasks);
    this.calls.splice(this.calls.indexOf(tasks), 1);
    // Together they were refused: one that cannot be settled does not hold up its neighbours.
    if (answers === 'refused') for (const task of tasks) void this.deliver([task]);
    else tasks.forEach((task, i) => task.answered(this.meant(task, answers?.[i] ?? 'given-up')));
  }

  private meant(task: SettleTask, answer: SettleAnswer): SettleAnswer {
    return this.inDoubt.delete(task) && answer === 'stale' ? 'settled' : answer;
  }

  /** `refused`: several of them at once. One goes on being tried. Undefined: given up. */
  private async settle(tasks: SettleTask[]): Promise<SettleReply[] | 'refused' | undefined> {
    const { ref, consumer, deliveries, clock, onTrouble } = this.options;
    const { signal } = this.closing;
    for (
      let pauseMs = PAUSE_MS.from;
      !signal.aborted;
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS.to)
    ) {
      try {
        const replies = await deliveries.settle(ref, consumer, tasks);
        this.refused = false;
        return replies;
      } catch (error) {
        if (signal.aborted) return undefined;
        onTrouble(error);
        if (isRefusal(error) && tasks.length > 1) return 'refused';
        this.refused = isRefusal(error);
        if (this.refused) tasks[0]!.refused?.();
        else for (const task of tasks) this.inDoubt.add(task);
        await sleep(clock, pauseMs * (0.75 + Math.random() / 2), signal);
      }
    }
    return undefined;
  }
}
