import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import type { DeliveryStore, GroupQueue } from '../store/delivery-store.js';
import { eachQueue } from './each-queue.js';

export interface OrphansOptions {
  deliveries: DeliveryStore;
  clock: Clock;
  /** Where to look. */
  queues(): readonly GroupQueue[];
  /** Which of these the store does not list as members (any more), asked now. */
  unlisted(names: readonly string[]): Promise<string[]>;
  takeOver(member: string): Promise<unknown>;
  onError(error: unknown): void;
}

/** A first search follows each start; later ones find what became nobody's meanwhile. */
const SEARCH_EVERY_MS = 600_000;

/**
 * Finds deliveries of consumers that nobody watches any more.
 *
 * A dead member is watched by those that live; when it is forgotten, its group may have had nobody alive for hours,
 * or the list of members may have been lost. Whoever consumes in the group then takes over what it held.
 */
export class Orphans {
  private readonly options: OrphansOptions;
  private readonly loop: Loop;

  constructor(options: OrphansOptions) {
    this.options = options;
    this.loop = new Loop({
      name: 'orphans',
      clock: options.clock,
      step: async (signal) => {
        await this.searchOnce(signal);
        return SEARCH_EVERY_MS;
      },
      onError: options.onError,
    });
  }

  /** Now, and again from time to time. */
  search(): void {
    this.loop.start();
    this.loop.wake();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async searchOnce(signal: AbortSignal): Promise<void> {
    const names = new Set<string>();
    await eachQueue(this.options.queues(), {
      visit: async (ref) => {
        if (signal.aborted) return;
        for (const name of await this.options.deliveries.consumers(ref)) names.add(name);
      },
      onRefusal: this.options.onError,
    });
    if (signal.aborted) return;
    // Asked after the consumers were: whoever reads was listed before it began to.
    for (const member of await this.options.unlisted([...names]))
      if (!signal.aborted) await this.options.takeOver(member);
  }
}
