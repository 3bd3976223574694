import { fitsTopic } from '../filter/topic-pattern.js';
import type { Clock } from '../runtime/clock.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import { Loop } from '../runtime/loop.js';
import type { PauseStore } from '../store/pause-store.js';
import type { RunningSubscription } from './running-subscription.js';

export interface PauseWatchOptions {
  paused: PauseStore;
  clock: Clock;
  events: Events;
  logger: Logger;
  running(): readonly RunningSubscription[];
  onError(error: unknown): void;
}

const LOOK_EVERY_MS = 1_000;

/** Pauses and resumes the subscriptions of this process as it is said in the store: one question a second for all. */
export class PauseWatch {
  private readonly options: PauseWatchOptions;
  private readonly loop: Loop;
  private readonly held = new Set<RunningSubscription>();
  private isStarted = false;

  constructor(options: PauseWatchOptions) {
    this.options = options;
    this.loop = new Loop({
      name: 'paused groups',
      clock: options.clock,
      step: async () => {
        await this.look();
        return LOOK_EVERY_MS;
      },
      onError: options.onError,
    });
  }

  /** Resolves once it is known which subscriptions must not begin. */
  async start(): Promise<void> {
    await this.look();
    if (this.isStarted) return;
    this.isStarted = true;
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async look(): Promise<void> {
    const { paused, running, events, logger } = this.options;
    const found = await paused.list();
    for (const each of running()) {
      const { topic, group } = each.subscription;
      // A pattern is paused as a whole, also where one of its topics was named: its handlers and slots are for all of them.
      const mustPause = found.some((one) => one.group === group && fitsTopic(topic, one.topic));
      if (mustPause === this.held.has(each)) continue;
      if (mustPause) {
        this.held.add(each);
        each.pause('everywhere');
      } else {
        this.held.delete(each);
        each.resume('everywhere');
      }
      events.emit(mustPause ? 'group-paused' : 'group-resumed', { topic, group });
      logger.log(
        mustPause
          ? `${topic}/${group} is paused in every process: no handler starts until MessageAdmin.resumeGroup.`
          : `${topic}/${group} goes on.`,
      );
    }
  }
}
