import { InvalidInputError } from '../message/errors.js';
import { describeValue, integerProblem } from '../message/options.js';
import { murmur2 } from '../message/murmur2.js';

/**
 * Which queue a message group belongs to, of `queues` queues: murmur2 of its UTF-8 bytes, as Kafka's default
 * partitioner does it, so that a Kafka producer's keys spread alike.
 *
 * @throws InvalidInputError when the message group is no text, or `queues` no integer from 1.
 */
export function selectQueue(messageGroup: string, queues: number): number {
  if (typeof messageGroup !== 'string' || !(Number.isInteger(queues) && queues >= 1))
    throw new InvalidInputError('selectQueue', problemsOf(messageGroup, queues));
  return (murmur2(Buffer.from(messageGroup)) & 0x7fffffff) % queues;
}

function problemsOf(messageGroup: unknown, queues: unknown): string[] {
  return [
    typeof messageGroup === 'string'
      ? undefined
      : `messageGroup must be text, got: ${describeValue(messageGroup)}`,
    integerProblem('queues', queues, { min: 1 }),
  ].filter((problem) => problem !== undefined);
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
