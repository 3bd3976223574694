import { InvalidInputError } from '../core/message/errors.js';
import { isMessageId } from '../core/message/message-id.js';
import { groupProblem, topicProblem } from '../core/message/names.js';
import { describeValue } from '../core/message/options.js';
import { type TopicName, topicOf } from '../core/message/topic.js';

export type Problem = string | undefined;

/** @throws InvalidInputError naming every problem. */
export function refuse(where: string, problems: readonly Problem[]): void {
  const found = problems.filter((problem) => problem !== undefined);
  if (found.length > 0) throw new InvalidInputError(where, found);
}

export function topicNameProblem(topic: TopicName): Problem {
  return topicProblem(topicOf(topic));
}

export { groupProblem };

export function messageIdProblem(messageId: unknown): Problem {
  if (isMessageId(messageId)) return undefined;
  return `messageId must be a message id (36 characters, as send returned it), got: ${describeValue(messageId)}`;
}

export function transactionIdProblem(transactionId: unknown): Problem {
  if (isMessageId(transactionId)) return undefined;
  return `transactionId must be the id of a transaction (36 characters), got: ${describeValue(transactionId)}`;
}

export function dateProblem(name: string, value: unknown): Problem {
  if (value === undefined || (value instanceof Date && !Number.isNaN(value.getTime())))
    return undefined;
  return `${name} must be a valid Date, got: ${value instanceof Date ? 'an invalid Date' : describeValue(value)}`;
}

/** Of two dates that may both be missing. */
export function timeRangeProblems(from: Date | undefined, to: Date | undefined): Problem[] {
  const dates = [dateProblem('from', from), dateProblem('to', to)];
  const areOrdered = !from || !to || dates.some((problem) => problem) || from <= to;
  return [...dates, areOrdered ? undefined : 'from must not be later than to'];
}

export function functionProblem(name: string, value: unknown): Problem {
  if (value === undefined || typeof value === 'function') return undefined;
  return `${name} must be a function, got: ${describeValue(value)}`;
}
