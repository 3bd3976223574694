import { InvalidInputError } from '../message/errors.js';
import { describeValue } from '../message/options.js';
import { murmur2 } from '../message/murmur2.js';

/**
 * Which queue a message group belongs to, of `queues` queues: murmur2 of its UTF-8 bytes, as Kafka's default
 * partitioner does it, so that a Kafka producer's keys spread alike.
 */
export function selectQueue(messageGroup: string, queues: number): number {
  return (murmur2(Buffer.from(messageGroup)) & 0x7fffffff) % queues;
}

/** An explicit queue, or what a user's selector answered, if the topic has it. */
export function checkedQueue(
  queue: unknown,
  queues: number,
  facts: { topic: string; from: string },
): number {
  if (typeof queue === 'number' && Number.isInteger(queue) && queue >= 0 && queue < queues)
    return queue;
  throw new InvalidInputError(`Send to topic "${facts.topic}"`, [
    `${facts.from} must be a queue from 0 to ${queues - 1}, got: ${describeValue(queue)}`,
  ]);
}
