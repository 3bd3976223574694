import { InvalidInputError } from '../message/errors.js';
import type { SendOptions } from '../message/message.js';
import { describeValue, integerProblem, unknownOptions } from '../message/options.js';
import type { TopicName } from '../message/topic.js';

/** One message of a set: its topic, its body, and whatever `send` takes, the times of a single send apart. */
export interface SetMessage<Body = unknown> extends Omit<
  SendOptions,
  'timeoutMs' | 'transaction' | 'receipt'
> {
  topic: TopicName<Body>;
  body: NoInfer<Body>;
}

export interface SendAllOptions {
  /** How long it may try, in milliseconds. Default: the producer's `sendTimeoutMs`. */
  timeoutMs?: number | undefined;
}

/** What `sendAll` would refuse of its own; each message is checked as `send` does. @throws InvalidInputError */
export function checkSet(messages: readonly SetMessage[], options: SendAllOptions): void {
  const problems = [
    ...unknownOptions(options, ['timeoutMs']),
    options?.timeoutMs === undefined
      ? undefined
      : integerProblem('timeoutMs', options.timeoutMs, { min: 1, max: 3_600_000 }),
    ...messageProblems(messages),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new InvalidInputError('sendAll', problems);
}

function messageProblems(messages: readonly SetMessage[]): (string | undefined)[] {
  if (!Array.isArray(messages))
    return [`messages must be a list of { topic, body, … }, got: ${describeValue(messages)}`];
  return messages.flatMap((message: unknown, i) => {
    if (typeof message !== 'object' || message === null)
      return [`message ${i} must be { topic, body, … }, got: ${describeValue(message)}`];
    return [
      'topic' in message ? undefined : `message ${i} has no topic`,
      'timeoutMs' in message
        ? `message ${i} has a timeoutMs of its own: all share one time, sendAll(messages, { timeoutMs })`
        : undefined,
      'transaction' in message
        ? `message ${i} says transaction: all messages of a set belong to the transaction it is sent in, or none`
        : undefined,
    ];
  });
}
