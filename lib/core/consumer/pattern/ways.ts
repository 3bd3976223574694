import { BroadcastConsumer } from '../broadcast/broadcast-consumer.js';
import { broadcastReading } from '../broadcast/broadcast-reading.js';
import { Consumer, type ConsumerOptions } from '../consumer.js';
import type { TopicLookup } from '../group-registration.js';
import { OrderedConsumer } from '../ordered/ordered-consumer.js';
import { OrderedIntake } from '../ordered/ordered-intake.js';
import type { OrderedRules } from '../ordered/ordered-rules.js';
import type { OrderedTiming } from '../ordered/ordered-timing.js';
import { Reporter } from '../reporter.js';
import type { PauseReason, RunningSubscription } from '../running-subscription.js';
import type { Subscription } from '../subscription.js';
import { TopicFetch } from '../topic-fetch.js';

/** One topic that fits a pattern. */
export interface FoundTopic {
  /** That of the pattern, for this topic. */
  readonly subscription: Subscription;
  readonly topic: TopicLookup;
}

/** A way to consume many topics in one subscription: a consumer for each, and what they share. */
export interface Way {
  /** Neither joined nor started. */
  consumerOf(found: FoundTopic): RunningSubscription;
  readonly shared: Shared;
}

/** Slots, bytes, and whatever reads or listens for all topics. */
interface Shared {
  start(): void;
  pause(why: PauseReason): void;
  resume(why: PauseReason): void;
  /** Takes in no more; what a read under way still brings is taken in when this resolves. */
  stop(): Promise<void>;
  /** Nothing is under way any more, or it is given up. */
  close(): void;
}

export interface WayOptions extends Omit<ConsumerOptions, 'fetch' | 'topic'> {
  timing: ConsumerOptions['timing'] & { deadAfterMs: number };
  orderedTiming: OrderedTiming;
  pollMs(): number;
}

/** A wait does not know the queues of a topic that is found meanwhile. */
const LONGEST_BLOCK_MS = 1_000;

export function wayOf(options: WayOptions): Way {
  const { mode, ordered: rules } = options.subscription;
  if (rules) return orderedWay({ ...options, rules });
  const blockMs = Math.min(options.timing.blockMs, LONGEST_BLOCK_MS);
  const reading = { ...options, timing: { ...options.timing, blockMs } };
  return mode === 'broadcasting' ? broadcastWay(reading) : unorderedWay(reading);
}

function unorderedWay(options: WayOptions): Way {
  const { stores, subscription, member } = options;
  const reader = stores.deliveries.openReader(subscription.group, member);
  const fetch = new TopicFetch({ ...options, reader, reporter: new Reporter(options) });
  return { shared: fetch, consumerOf: (found) => new Consumer({ ...options, ...found, fetch }) };
}

function orderedWay(options: WayOptions & { rules: OrderedRules }): Way {
  const timing = { ...options.timing, ...options.orderedTiming };
  const all = { ...options, timing };
  const intake = new OrderedIntake({ ...all, reporter: new Reporter(options) });
  return {
    shared: intake,
    consumerOf: (found) => new OrderedConsumer({ ...all, ...found, intake }),
  };
}

function broadcastWay(options: WayOptions): Way {
  const reading = broadcastReading({ ...options, reporter: new Reporter(options) });
  return {
    shared: reading.fetch,
    consumerOf: (found) => new BroadcastConsumer({ ...options, ...found, reading }),
  };
}
