import { randomInt } from 'node:crypto';
import type { QueueSelector } from '../message/message.js';
import { selectQueue } from './queue-selector.js';

/** Any queue, each as likely as the others: RocketMQ's `SelectMessageQueueByRandom`. */
export function randomQueue(): QueueSelector {
  return (queues) => queues[randomInt(queues.length)]!;
}

/**
 * One queue after the other, in each topic by itself. Make one and keep it: it counts. What is sent without a selector goes
 * to one queue for as many messages as are worth a call, which is faster.
 */
export function roundRobinQueue(): QueueSelector {
  const sent = new Map<string, number>();
  return (queues, { topic }) => {
    const count = sent.get(topic) ?? 0;
    sent.set(topic, count + 1);
    return queues[count % queues.length]!;
  };
}

/**
 * By the key of the message, as a message group would be, but without its order: RocketMQ's `SelectMessageQueueByHash`. What has
 * no key goes to any queue.
 */
export function hashedQueue(): QueueSelector {
  const any = randomQueue();
  return (queues, message) =>
    message.key === undefined
      ? any(queues, message)
      : queues[selectQueue(message.key, queues.length)]!;
}
