import type { Delivery } from '../consumer/subscription.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';

/** Tells of what was not remembered as it should have been. */
export class IdempotencyReporter {
  private readonly events: Events;
  private readonly logger: Logger;

  constructor(options: { events: Events; logger: Logger }) {
    this.events = options.events;
    this.logger = options.logger;
  }

  /** It was handled, and somebody else had claimed its record meanwhile. */
  lost({ message, group, attempt }: Delivery, dedupKey: string): void {
    const { topic, queue, offset, messageId, key } = message;
    const facts = { topic, queue, group, messageId, key, offset, attempt };
    this.events.emit('claim-lost', { ...facts, dedupKey });
    this.logger.warn(
      `${topic}/${group}: message ${messageId} attempt ${attempt} outlived its claim, and another consumer handled the same work meanwhile. Its effects may have happened twice.`,
    );
  }

  tooLarge({ message, group, attempt }: Delivery): void {
    this.logger.warn(
      `${message.topic}/${group}: the answer to message ${message.messageId} attempt ${attempt} is larger than 64 KiB and was not kept for duplicates. Answer with a reference to it.`,
    );
  }
}
