import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import type { TopicRegistry } from '../store/topic-registry.js';
import type { RunningSubscription } from './running-subscription.js';

/** So late at most a subscription hears of the queues that were added to its topic, unless the note of that was lost. */
const LOOK_MS = 1_000;
/** Once in so many looks a topic itself is asked: a failover may have lost the note that it grew, or somebody deleted that. */
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
    const failures: unknown[] = [];
    await this.tell(await this.options.registry.grown(), failures);
    await this.tell(await this.found(failures), failures);
    if (failures.length > 0) throw failures[0];
    return LOOK_MS;
  }

  /** Queues of the topics whose turn it is. */
  private async found(failures: unknown[]): Promise<ReadonlyMap<string, number>> {
    const { registry, subscriptions } = this.options;
    const topics = new Set(subscriptions().flatMap((each) => each.topics));
    const due = [...topics].filter((_, i) => (this.looks + i) % LOOKS_A_ROUND === 0);
    const found = await settled(
      due.map((topic) => registry.find(topic)),
      failures,
    );
    return new Map(found.flatMap((info) => (info ? [[info.topic, info.queues]] : [])));
  }

  /** One that cannot take its queues keeps no other from theirs. */
  private async tell(queuesOf: ReadonlyMap<string, number>, failures: unknown[]): Promise<void> {
    const subscriptions = queuesOf.size > 0 ? this.options.subscriptions() : [];
    for (const each of subscriptions)
      await settled(
        [...queuesOf].map(([topic, queues]) => each.growTo(topic, queues)),
        failures,
      );
  }
}

async function settled<T>(asked: readonly Promise<T>[], failures: unknown[]): Promise<T[]> {
  const ends = await Promise.allSettled(asked);
  for (const end of ends) if (end.status === 'rejected') failures.push(end.reason);
  return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
}
