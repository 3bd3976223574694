import type { Delivery } from '../core/consumer/subscription.js';
import { stackOf } from './failed-request.js';

/** For whoever looks for where a handler threw: the line that counts the attempt has no stack. */
export function failedAttempt({ message, group, attempt }: Delivery, error: unknown): string {
  return `${message.topic}/${group}: message ${message.messageId} attempt ${attempt} threw ${stackOf(error)}`;
}

export function failedBatch(deliveries: readonly Delivery[], error: unknown): string {
  const [first] = deliveries;
  const ids = deliveries.map(({ message }) => message.messageId).join(', ');
  return `${first?.message.topic}/${first?.group}: a batch of ${deliveries.length} (messages ${ids}) threw ${stackOf(error)}`;
}
