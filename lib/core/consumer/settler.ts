import { setMaxListeners } from 'node:events';
import { isRefusal } from '../message/errors.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type {
  DeliveryStore,
  GroupQueue,
  SettleItem,
  SettleReply,
  Settlement,
} from '../store/delivery-store.js';

export interface SettlerOptions {
  ref: GroupQueue;
  consumer: string;
  deliveries: DeliveryStore;
  clock: Clock;
  /** Told about each failed try; settling goes on until `close`. */
  onTrouble(error: unknown): void;
}

type Done = (reply: SettleReply | 'given-up') => void;

/** A settle on its way. A class, as all that lives until its answer (decision 7). */
class Item implements SettleItem {
  readonly offset: string;
  readonly deliveryCount: number;
  readonly settlement: Settlement;
  done: Done;
  readonly onRefused: (() => void) | undefined;

  constructor(item: SettleItem, done: Done, onRefused: (() => void) | undefined) {
    this.offset = item.offset;
    this.deliveryCount = item.deliveryCount;
    this.settlement = item.settlement;
    this.done = done;
    this.onRefused = onRefused;
  }
}

const PAUSE_MS = { from: 50, to: 2_000 };
const MOST_PER_CALL = 200;

/**
 * Settles of one queue and group: those of one event-loop turn travel together, and with the next read if one begins.
 *
 * A settle whose answer is lost is sent again until it is answered: the store takes a repeat for what it is. A call
 * that is refused is taken apart, so that one delivery that cannot be settled does not hold up its neighbours.
 */
export class Settler {
  private readonly options: SettlerOptions;
  private waiting: Item[] = [];
  /** Calls under way. */
  private readonly calls: Item[][] = [];
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

  /** `onRefused`: called, perhaps again and again, while the store refuses it by itself; it stays to be settled. */
  add(item: SettleItem, done: Done, onRefused?: () => void): void {
    if (this.closing.signal.aborted) return done('given-up');
    this.waiting.push(new Item(item, done, onRefused));
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
    const waiting = this.waiting;
    this.waiting = [];
    for (let at = 0; at < waiting.length; at += MOST_PER_CALL)
      void this.deliver(waiting.slice(at, at + MOST_PER_CALL));
  }

  /** Gives up what is not settled: it stays pending and is handed out again by others. */
  close(): void {
    this.closing.abort();
    for (const { done } of this.waiting.splice(0)) done('given-up');
  }

  private async deliver(items: Item[]): Promise<void> {
    this.calls.push(items);
    const replies = await this.settle(items);
    this.calls.splice(this.calls.indexOf(items), 1);
    for (let i = 0; i < items.length; i++) items[i]!.done(replies?.[i] ?? 'given-up');
  }

  private async settle(items: Item[]): Promise<SettleReply[] | undefined> {
    const { ref, consumer, deliveries, clock, onTrouble } = this.options;
    const { signal } = this.closing;
    for (
      let pauseMs = PAUSE_MS.from;
      !signal.aborted;
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS.to)
    ) {
      try {
        const replies = await deliveries.settle(ref, consumer, items);
        this.refused = false;
        return replies;
      } catch (error) {
        if (signal.aborted) return undefined;
        onTrouble(error);
        if (isRefusal(error) && items.length > 1) return this.settleApart(items);
        this.refused = isRefusal(error);
        if (this.refused) items[0]!.onRefused?.();
        await sleep(clock, pauseMs * (0.75 + Math.random() / 2), signal);
      }
    }
    return undefined;
  }

  private async settleApart(items: Item[]): Promise<undefined> {
    await Promise.all(
      items.map(async (item) => {
        const replies = await this.settle([item]);
        item.done(replies?.[0] ?? 'given-up');
        // Answered here; the caller's own answer finds nothing left to do.
        item.done = () => {};
      }),
    );
    return undefined;
  }
}
