import { RejectMessageError } from '../consumer/handler-errors.js';
import type { Delivery } from '../consumer/subscription.js';
import { textProblem } from '../message/names.js';
import type { IdempotentSettings } from './idempotent-options.js';

/**
 * What makes two messages the same work.
 *
 * @throws RejectMessageError when the user's function answers no text of 1 to 255 characters; whatever it throws.
 */
export function dedupKey(delivery: Delivery, key: IdempotentSettings['key']): string {
  const { message, body } = delivery;
  if (!key) return message.dedupId ?? message.messageId;
  const answered = key(message, body);
  const problem = textProblem('dedupKey', answered);
  if (problem !== undefined)
    throw new RejectMessageError(`idempotent.key answered no key: ${problem}`);
  return answered as string;
}
