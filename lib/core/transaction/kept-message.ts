import { SendFailedError } from '../message/errors.js';
import { frameMessageId } from '../message/wire-format.js';
import { selectQueue } from '../producer/queue-selector.js';
import { queueOf, type SendRoute } from '../producer/send-route.js';
import type { AppendEntry } from '../store/message-log.js';
import type { TopicInfo } from '../store/topic-registry.js';
import type { TransactionId } from '../store/half-message-store.js';

/** A message of a transaction while it waits for the decision: in memory, or in the outbox. */
export interface KeptMessage {
  readonly topic: string;
  /** Null while nobody could look the topic up: the store was down. */
  readonly place: { queue: number; generation: number } | null;
  readonly route: SendRoute;
  readonly entry: AppendEntry;
  /** As the sender gave it, for the event. */
  readonly key: string | undefined;
}

/** The messages of a transaction for one queue, in the order they were sent. */
export interface QueueRun {
  readonly topic: string;
  readonly queue: number;
  readonly generation: number;
  readonly messages: readonly KeptMessage[];
}

/** Messages by their queues. Those without one are left out. */
export function runsOf(messages: readonly KeptMessage[]): QueueRun[] {
  const [only] = messages;
  if (only?.place && messages.length === 1) return [{ topic: only.topic, ...only.place, messages }];
  const runs = new Map<string, QueueRun & { messages: KeptMessage[] }>();
  for (const message of messages) {
    const { topic, place } = message;
    if (!place) continue;
    const key = `${topic}/${place.queue}/${place.generation}`;
    const run = runs.get(key);
    if (run) run.messages.push(message);
    else runs.set(key, { topic, ...place, messages: [message] });
  }
  return [...runs.values()];
}

/**
 * The message with its queue in a topic as it is now. Always the same one for a transaction, since whoever is killed on
 * the way does it again.
 *
 * @throws SendFailedError when the topic has no such queue.
 */
export function placed(message: KeptMessage, info: TopicInfo, id: TransactionId): KeptMessage {
  const { queues, generation, topic } = info;
  const turns = { next: () => selectQueue(id, queues) };
  const queue = queueOf(message.route, { queues, turns });
  if (queue < queues) return { ...message, place: { queue, generation } };
  const messageId = frameMessageId(message.entry.frame);
  throw new SendFailedError(
    `Message ${messageId} to topic "${topic}" was not stored: the topic has queues 0 to ${queues - 1}, and queue ${queue} was asked for.`,
    { topic, messageId },
  );
}
