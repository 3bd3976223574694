import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import type { DeliveryStore, GroupQueue } from '../store/delivery-store.js';

export interface WaitingWatchOptions {
  deliveries: DeliveryStore;
  clock: Clock;
  /** So often all are asked: how late it is noticed what others left behind, while the store answers at once. */
  pollMs(): number;
  onError(error: unknown): void;
}

/** Deliveries of some queues that wait for their next attempt. */
interface Waiters {
  readonly refs: readonly GroupQueue[];
  /** Something of this queue falls due in `delayMs`. */
  notice(queue: number, delayMs: number): void;
}

/** So many queues in one question: the store answers nobody else meanwhile. */
const MOST_AT_ONCE = 100;

/**
 * Notices what waits in the queues of this process although nobody here set it, such as the retries of a process that
 * died: one question for all of them, as far as the store can answer so.
 */
export class WaitingWatch {
  private readonly options: WaitingWatchOptions;
  private readonly waiters = new Set<Waiters>();
  private readonly loop: Loop;

  constructor(options: WaitingWatchOptions) {
    this.options = options;
    this.loop = new Loop({
      name: 'what waits',
      clock: options.clock,
      step: (signal) => this.look(signal),
      onError: options.onError,
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  add(waiters: Waiters): void {
    this.waiters.add(waiters);
  }

  remove(waiters: Waiters): void {
    this.waiters.delete(waiters);
  }

  private async look(signal: AbortSignal): Promise<number> {
    const all = [...this.waiters].flatMap((each) => each.refs.map((ref) => ({ each, ref })));
    for (let i = 0; i < all.length && !signal.aborted; i += MOST_AT_ONCE) {
      const some = all.slice(i, i + MOST_AT_ONCE);
      const delays = await this.options.deliveries.dueIn(some.map(({ ref }) => ref));
      for (const [j, { each, ref }] of some.entries()) {
        const delayMs = delays[j]!;
        if (delayMs !== null) each.notice(ref.queue, delayMs);
      }
    }
    return this.options.pollMs();
  }
}
