import { InvalidInputError } from '../message/errors.js';
import type { SendResult } from '../message/message.js';
import type { TopicInfo } from '../store/topic-registry.js';
import type { EncodedMessage } from './encode-message.js';
import { type SendRoute, sendRoute } from './send-route.js';

/** A message that was checked and has its bytes and its way, and is not sent. */
export interface EnlistedMessage {
  readonly message: EncodedMessage;
  readonly route: SendRoute;
  /** Undefined while it cannot be looked up, because the store is down: the queue is decided when that is over. */
  readonly topic: TopicInfo | undefined;
}

/** Takes messages that are sent within it, in place of the store. */
export interface Enlistment {
  /** Rejects when nothing is taken any more, and with what `make` fails with. */
  enlist(make: () => EnlistedMessage | Promise<EnlistedMessage>): Promise<SendResult>;

  /** @returns undefined when the store is down and the message may be kept without knowing its queue. */
  lookUpTopic(topic: string): Promise<TopicInfo | undefined>;
}

/** @throws InvalidInputError when the queue must be chosen, and nobody knows which there are. */
export function routed(message: EncodedMessage, topic: TopicInfo | undefined): EnlistedMessage {
  const route = sendRoute(message, { queuesFor: () => topic?.queues ?? unknownQueues(message) });
  return { message, route, topic };
}

/** A queue that was named is checked when the topic is known; what has to be chosen cannot be. */
function unknownQueues({ topic, options }: EncodedMessage): number {
  if (!options.queueSelector) return Infinity;
  throw new InvalidInputError(`Send to topic "${topic}"`, [
    'queueSelector needs to know the queues of the topic, which was never used here and cannot be looked up while the store is down',
  ]);
}
