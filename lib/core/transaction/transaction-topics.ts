import { StoreUnavailableError } from '../message/errors.js';
import { QueueTurns } from '../producer/queue-turns.js';
import type { TopicDirectory } from '../producer/topic-directory.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Availability } from '../store/stores.js';
import type { TopicInfo } from '../store/topic-registry.js';
import type { TransactionSettings } from './transaction-settings.js';

export interface TransactionTopicsOptions {
  topics: TopicDirectory;
  availability: Availability;
  clock: Clock;
  settings: TransactionSettings;
}

/** Longer than `halfTimeoutMs`, since a topic that nobody used here takes several steps; once for each topic. */
const LOOK_UP_MS = 1_000;

/** What transactions ask about topics. */
export class TransactionTopics {
  private readonly options: TransactionTopicsOptions;
  private readonly turns = new Map<string, { queues: number; turns: QueueTurns }>();

  constructor(options: TransactionTopicsOptions) {
    this.options = options;
  }

  /** The queue whose turn it is, for messages that nothing binds to one. */
  nextTurn(info: TopicInfo): number {
    return this.turnsOf(info).next();
  }

  /** A topic nobody used here yet must not hold a database transaction open for long. */
  async lookUp(topic: string): Promise<TopicInfo | undefined> {
    const { topics, availability, clock, settings } = this.options;
    const mayWait = settings.store === 'outbox' || settings.whenBrokerDown === 'outbox';
    if (mayWait && !availability.ready) return undefined;
    const longestMs = Math.max(LOOK_UP_MS, settings.halfTimeoutMs);
    const tooLate = new AbortController();
    try {
      const late = sleep(clock, longestMs, tooLate.signal).then(() => {
        throw new StoreUnavailableError(
          `Topic "${topic}" could not be looked up within ${longestMs} ms`,
        );
      });
      late.catch(() => undefined);
      return await Promise.race([topics.get(topic), late]);
    } catch (error) {
      if (mayWait && error instanceof StoreUnavailableError) return undefined;
      throw error;
    } finally {
      tooLate.abort();
    }
  }

  private turnsOf({ topic, queues }: TopicInfo): QueueTurns {
    const known = this.turns.get(topic);
    if (known?.queues === queues) return known.turns;
    const turns = new QueueTurns({ queues });
    this.turns.set(topic, { queues, turns });
    return turns;
  }
}
