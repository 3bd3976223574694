import { randomInt } from 'node:crypto';
import { InvalidInputError } from '../message/errors.js';
import type { QueueSelector } from '../message/message.js';
import { integerProblem, unknownOptions } from '../message/options.js';
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
 * The same queue for so many messages of a topic, then another one: Kafka's sticky partitioner by number. Make one and keep it:
 * it counts. What is sent without a selector is sent like this already, a run as long as is worth a call.
 *
 * @param options.size default 64. @throws InvalidInputError when it is not an integer of at least 1.
 */
export function stickyBatchQueue(options: { size?: number } = {}): QueueSelector {
  const problems = unknownOptions(options, ['size']);
  const { size = 64 } = options ?? {};
  const problem = integerProblem('size', size, { min: 1 });
  if (problem !== undefined) problems.push(problem);
  if (problems.length > 0) throw new InvalidInputError('stickyBatchQueue', problems);
  const sent = new Map<string, number>();
  return (queues, { topic }) => {
    const count = sent.get(topic) ?? 0;
    sent.set(topic, count + 1);
    return queues[Math.floor(count / size) % queues.length]!;
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
