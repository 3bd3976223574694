import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import type { TopicRegistry } from '../store/topic-registry.js';
import type { RunningSubscription } from './running-subscription.js';

/** So late at most a subscription begins to read the queues that were added to its topic. */
const LOOK_MS = 1_000;

/** Tells the subscriptions of this process when their topics have more queues: one question a second for all of them. */
export class GrowthWatch {
  private readonly options: {
    registry: TopicRegistry;
    clock: Clock;
    subscriptions(): readonly RunningSubscription[];
    onError(error: unknown): void;
  };
  private readonly loop: Loop;

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
    const grown = await this.options.registry.grown();
    const subscriptions = grown.size > 0 ? this.options.subscriptions() : [];
    for (const each of subscriptions)
      await Promise.all([...grown].map(([topic, queues]) => each.growTo(topic, queues)));
    return LOOK_MS;
  }
}
