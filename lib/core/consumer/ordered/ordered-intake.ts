import type { Clock } from '../../runtime/clock.js';
import type { Stores } from '../../store/stores.js';
import type { ConsumerTiming } from '../consumer-timing.js';
import type { Reporter } from '../reporter.js';
import type { PauseReason } from '../running-subscription.js';
import type { Subscription } from '../subscription.js';
import { throttleFor } from '../throttle.js';
import { DoorbellLoop } from './doorbell-loop.js';
import { LaneMemory } from './lane-memory.js';
import { LaneSlots } from './lane-slots.js';
import type { LeasedQueue } from './leased-queue.js';

export interface OrderedIntakeOptions {
  /** As it was declared: to a topic, or to a pattern. */
  subscription: Subscription;
  stores: Stores;
  clock: Clock;
  timing: Pick<ConsumerTiming, 'blockMs' | 'maxInHandBytes'>;
  reporter: Reporter;
}

/** What the queues of one ordered subscription share, over all of its topics: slots, memory, and the wait for news. */
export class OrderedIntake {
  readonly slots: LaneSlots;
  readonly memory: LaneMemory;
  private readonly queues = new Set<LeasedQueue>();
  private readonly bell: DoorbellLoop;

  constructor(options: OrderedIntakeOptions) {
    const { subscription, stores, clock, timing, reporter } = options;
    const { topic, group, concurrency } = subscription;
    this.slots = new LaneSlots({
      limit: concurrency,
      throttle: throttleFor({
        ...{ subscription, stores, clock },
        onError: (error) => reporter.trouble('ask for its rate limit', error),
      }),
    });
    this.memory = new LaneMemory({
      mostBytes: timing.maxInHandBytes,
      concurrency,
      holders: () => this.queues,
    });
    this.bell = new DoorbellLoop({
      name: `doorbell ${topic}/${group}`,
      ...{ clock, queues: () => this.queues, blockMs: timing.blockMs },
      doorbell: stores.leases.openDoorbell(),
      onError: (error) => reporter.trouble('wait for messages', error),
    });
  }

  /** How many queues there are. */
  get size(): number {
    return this.queues.size;
  }

  add(queue: LeasedQueue): void {
    this.queues.add(queue);
  }

  remove(queue: LeasedQueue): void {
    this.queues.delete(queue);
  }

  /** From now on queues are told when there is something to read. */
  start(): void {
    this.bell.start();
  }

  /** A queue has read everything there is. */
  drained(): void {
    this.bell.drained();
  }

  pause(why: PauseReason): void {
    this.slots.capacity.pause(why);
  }

  resume(why: PauseReason): void {
    this.slots.capacity.resume(why);
    this.slots.freed();
  }

  /** No tokens are asked for any more, and nobody is told of news. Resolves when no wait is under way. */
  stop(): Promise<void> {
    this.slots.capacity.close();
    return this.bell.stop();
  }

  /** Whatever a queue needs it has by itself. */
  close(): void {}
}
