import { isTopicPattern } from '../filter/topic-pattern.js';
import type { TopicDefinition } from '../message/topic.js';
import { BroadcastConsumer } from './broadcast/broadcast-consumer.js';
import { Consumer } from './consumer.js';
import type { TopicLife, TopicLookup } from './group-registration.js';
import { OrderedConsumer } from './ordered/ordered-consumer.js';
import { PatternConsumer } from './pattern/pattern-consumer.js';
import type { TopicWatch } from './pattern/topic-watch.js';
import { type WayOptions, wayOf } from './pattern/ways.js';
import type { RunningSubscription } from './running-subscription.js';
import type { Subscription } from './subscription.js';

/** Topics as this process knows them, and as they are now. */
export interface ConsumedTopics {
  get(topic: string): Promise<TopicLife>;
  /** The same, for a subscription: where that makes a topic that may be another one, misspelt, it is told. */
  getToConsume(topic: string): Promise<TopicLife>;
  refresh(topic: string): Promise<TopicLife>;
  /** Without making it. @throws TopicNotFoundError */
  find(topic: string): Promise<TopicLife>;
  definition(topic: string): TopicDefinition | undefined;
}

/** What the consumers of a process have in common. */
export interface ConsumerForOptions extends Omit<WayOptions, 'subscription'> {
  topics: ConsumedTopics;
  watch: TopicWatch;
}

/** The consumer that a subscription asks for: of one topic or a pattern, ordered, broadcasting or neither. */
export function consumerFor(
  subscription: Subscription,
  options: ConsumerForOptions,
): RunningSubscription {
  const { topic, mode, ordered: rules } = subscription;
  const { topics, watch } = options;
  if (isTopicPattern(topic))
    return new PatternConsumer({
      ...{ subscription, watch, topics: options.stores.topics },
      way: wayOf({ ...options, subscription }),
      findTopic: (name) => topics.find(name),
      schemaOf: (name) => topics.definition(name)?.options.schema,
    });
  const ofTopic = { ...options, subscription, topic: lookupOf(topic, topics) };
  if (mode === 'broadcasting') return new BroadcastConsumer(ofTopic);
  if (!rules) return new Consumer(ofTopic);
  const timing = { ...options.timing, ...options.orderedTiming };
  return new OrderedConsumer({ ...ofTopic, rules, timing });
}

/** How the consumer of one topic finds it, and finds it again. */
export function lookupOf(topic: string, topics: ConsumedTopics): TopicLookup {
  return { get: () => topics.getToConsume(topic), refresh: () => topics.refresh(topic) };
}
