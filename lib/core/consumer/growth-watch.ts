import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import type { TopicRegistry } from '../store/topic-registry.js';
import type { RunningSubscription } from './running-subscription.js';

/** So late at most a subscription begins to read the queues that were added to its topic. */
const LOOK_MS = 1_000;
/** Once in so many looks a topic itself is asked: a failover may have lost the note that it grew, or somebody deleted it. */
const LOOKS_A_ROUND = 60;

/**
 * Tells the subscriptions of this process when their topics have more queues: one question a second for all of them, and one
 * a minute for each topic.
 */
export class GrowthWatch {
  private readonly options: {
    registry: TopicRegistry;
    clock: Clock;
    subscriptions(): readonly RunningSubscription[];
    onError(error: unknown): void;
  };
  private readonly loop: Loop;
  private looks = 0;

  constructor(options: GrowthWatch['options']) {
    this.options = options;
    this.loop = new Loop({
      name: 'growth of topics',
      clock: options.clock,
      step: () => this.look(),
      onError: options.onError,
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async look(): Promise<number> {
    this.looks += 1;
    await this.tell(await this.options.registry.grown());
    await this.tell(await this.found());
    return LOOK_MS;
  }

  /** Queues of the topics whose turn it is. */
  private async found(): Promise<ReadonlyMap<string, number>> {
    const { registry, subscriptions } = this.options;
    const topics = new Set(subscriptions().flatMap((each) => each.topics));
    const due = [...topics].filter((_, i) => (this.looks + i) % LOOKS_A_ROUND === 0);
    const found = await Promise.all(due.map((topic) => registry.find(topic)));
    return new Map(found.flatMap((info) => (info ? [[info.topic, info.queues]] : [])));
  }

  private async tell(queuesOf: ReadonlyMap<string, number>): Promise<void> {
    const subscriptions = queuesOf.size > 0 ? this.options.subscriptions() : [];
    for (const each of subscriptions)
      await Promise.all([...queuesOf].map(([topic, queues]) => each.growTo(topic, queues)));
  }
}
