import type { GivenProperties, Properties, PropertyValue } from '../message/message.js';
import type { Outgoing } from './encode-message.js';
import { checkedQueue, selectQueue } from './queue-selector.js';

/** What decides the queue of a message, also when the topic changes before it is stored. */
export type SendRoute =
  | { by: 'message-group'; messageGroup: string }
  | { by: 'dedup-id'; dedupId: string }
  | { by: 'queue'; queue: number }
  | { by: 'turn' };

const BY_TURN: SendRoute = { by: 'turn' };

/**
 * What the sender said, else its message group, else its dedup id, else turns.
 *
 * @param known asked only when the sender named a queue.
 * @throws InvalidInputError when the sender named a queue that the topic does not have.
 */
export function sendRoute(
  message: Outgoing,
  known: { queuesFor(message: Outgoing): number },
): SendRoute {
  const { messageGroup, queue, queueSelector, dedupId } = message.options;
  if (queue !== undefined || queueSelector)
    return { by: 'queue', queue: namedQueue(message, known.queuesFor(message)) };
  if (messageGroup !== undefined) return { by: 'message-group', messageGroup };
  // The same dedup id must meet its first message, and that is remembered per queue.
  return dedupId === undefined ? BY_TURN : { by: 'dedup-id', dedupId };
}

function namedQueue({ topic, options, body }: Outgoing, queues: number): number {
  const { queue, queueSelector, tag, key, properties } = options;
  if (queue !== undefined) return checkedQueue(queue, queues, { topic, from: 'queue' });
  const all = Array.from({ length: queues }, (_, i) => i);
  const chosen = queueSelector!(all, { topic, tag, key, properties: given(properties), body });
  return checkedQueue(chosen, queues, { topic, from: 'what queueSelector returned' });
}

function given(properties: GivenProperties = {}): Properties {
  const entries = Object.entries(properties);
  return Object.fromEntries(
    entries.filter((entry): entry is [string, PropertyValue] => entry[1] !== undefined),
  );
}

/** The queue of a topic with so many queues. `turns`: asked for messages that nothing binds to one. */
export function queueOf(
  route: SendRoute,
  { queues, turns }: { queues: number; turns: { next(): number } },
): number {
  switch (route.by) {
    case 'queue':
      return route.queue;
    case 'message-group':
      return selectQueue(route.messageGroup, queues);
    case 'dedup-id':
      return selectQueue(route.dedupId, queues);
    case 'turn':
      return turns.next();
  }
}

/** Whether this, which was read from somewhere, is a route. */
export function isSendRoute(value: unknown): value is SendRoute {
  const { by, ...told } = (value ?? {}) as Record<string, unknown>;
  switch (by as SendRoute['by']) {
    case 'queue':
      return Number.isSafeInteger(told['queue']) && Number(told['queue']) >= 0;
    case 'message-group':
      return typeof told['messageGroup'] === 'string';
    case 'dedup-id':
      return typeof told['dedupId'] === 'string';
    case 'turn':
      return true;
    default:
      return false;
  }
}
