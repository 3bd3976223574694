import type { Acks } from '../message/acks.js';
import { SendFailedError } from '../message/errors.js';
import { messageIdOf } from '../message/frame.js';
import type { EnlistedMessage } from '../producer/enlistment.js';
import { selectQueue } from '../producer/queue-selector.js';
import { queueOf, type SendRoute } from '../producer/send-route.js';
import { asksForMore, type SharedAcks, strongestAcks } from '../producer/wanted-acks.js';
import type { AppendEntry } from '../store/message-log.js';
import type { TopicInfo } from '../store/topic-registry.js';
import type { TransactionId } from '../store/half-message-store.js';

interface QueuePlace {
  readonly queue: number;
  readonly generation: number;
}

/** A message of a transaction while it waits for the decision: in memory, or in the outbox. */
export interface KeptMessage {
  readonly topic: string;
  /** Null while nobody could look the topic up: the store was down. */
  readonly place: QueuePlace | null;
  readonly route: SendRoute;
  readonly entry: AppendEntry;
  /** As the sender gave it, for the event. */
  readonly key: string | undefined;
  /** How far it must be stored; undefined: the memory of one server. */
  readonly acks: Acks | undefined;
}

/**
 * A message in the hands of the process that sent it. A class, as everything that lives through a transaction: see
 * decision 7.
 */
export class HeldMessage implements KeptMessage {
  readonly topic: string;
  readonly place: QueuePlace | null;
  readonly route: SendRoute;
  readonly entry: AppendEntry;
  readonly key: string | undefined;
  readonly acks: Acks | undefined;

  constructor({ message, route }: EnlistedMessage, place: QueuePlace | null) {
    this.topic = message.topic;
    this.place = place;
    this.route = route;
    this.entry = message;
    this.key = message.options.key;
    this.acks = asksForMore(message.acks) ? message.acks : undefined;
  }
}

/** The messages of a transaction for one queue, in the order they were sent. */
export class QueueRun {
  readonly topic: string;
  readonly queue: number;
  readonly generation: number;
  readonly messages: readonly KeptMessage[];
  readonly entries: readonly AppendEntry[];
  /** How far they must be stored: as far as the most demanding of those that share their fate. */
  readonly acks: SharedAcks | undefined;

  constructor({ topic, place, messages }: RunParts, acks: SharedAcks | undefined) {
    this.topic = topic;
    this.queue = place.queue;
    this.generation = place.generation;
    this.messages = messages;
    this.entries = messages.map(({ entry }) => entry);
    this.acks = acks;
  }
}

interface RunParts {
  topic: string;
  place: QueuePlace;
  messages: readonly KeptMessage[];
}

/** Messages by their queues. Those without one are left out. */
export function runsOf(messages: readonly KeptMessage[]): QueueRun[] {
  const acks = strongestAcks(messages);
  const [first] = messages;
  // Most transactions send one message. A literal that lives through a transaction comes to be made old (decision 19).
  if (messages.length === 1 && first?.place)
    return Array.of(new QueueRun({ topic: first.topic, place: first.place, messages }, acks));
  const runs = new Map<string, RunParts & { messages: KeptMessage[] }>();
  for (const message of messages) {
    const { topic, place } = message;
    if (!place) continue;
    const key = `${topic}/${place.queue}/${place.generation}`;
    const run = runs.get(key);
    if (run) run.messages.push(message);
    else runs.set(key, { topic, place, messages: [message] });
  }
  return [...runs.values()].map((run) => new QueueRun(run, acks));
}

/**
 * The message with its queue in a topic of so many queues. Always the same one for a transaction, since whoever is killed on
 * the way does it again.
 *
 * @throws SendFailedError when the topic has no such queue.
 */
export function placed(
  message: KeptMessage,
  { queues, generation, topic }: Pick<TopicInfo, 'queues' | 'generation' | 'topic'>,
  id: TransactionId,
): KeptMessage {
  const turns = { next: () => selectQueue(id, queues) };
  const queue = queueOf(message.route, { queues, turns });
  if (queue < queues) return { ...message, place: { queue, generation } };
  const messageId = messageIdOf(message.entry.frame);
  throw new SendFailedError(
    `Message ${messageId} to topic "${topic}" was not stored: the topic has queues 0 to ${queues - 1}, and queue ${queue} was asked for.`,
    { topic, messageId },
  );
}
