import type { Responder } from '../consumer/responder.js';
import type { Delivery, Middleware } from '../consumer/subscription.js';
import type { Clock } from '../runtime/clock.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { DedupStore } from '../store/dedup-store.js';
import { Claims } from './claims.js';
import { dedupKey } from './dedup-key.js';
import { IdempotencyReporter } from './idempotency-reporter.js';
import type { IdempotentSettings } from './idempotent-options.js';
import { IdempotentWork, type WorkTools } from './idempotent-work.js';
import type { KeptAnswer } from './kept-answer.js';
import { OwnerNames } from './owner-names.js';
import { PersistentAsker } from './persistent-asker.js';
import type { Inbox } from './through-inbox.js';

export interface IdempotencyOptions {
  dedup: DedupStore;
  clock: Clock;
  events: Events;
  logger: Logger;
  /** How long a claim lasts unless it is renewed. */
  leaseMs: number;
  inbox: Inbox;
  responderFor(delivery: Delivery): Responder;
  onTrouble(doing: string, error: unknown): void;
}

/**
 * Idempotent consumption: begin → handle → complete, and only then the ack.
 *
 * A handler whose completion was recorded is not run again for the same dedup key within its lifetime. One that failed
 * frees the record, so that its retry starts at once; one that crashed leaves a claim that lapses.
 */
export class Idempotency {
  private readonly tools: WorkTools;
  private readonly owners = new OwnerNames();

  constructor(options: IdempotencyOptions) {
    const { dedup, clock, leaseMs, inbox } = options;
    const asker = new PersistentAsker(options);
    const claims = new Claims({
      dedup,
      clock,
      leaseMs,
      onTrouble: (error) => asker.trouble('renew a claim on a dedup record', error),
    });
    this.tools = {
      dedup,
      leaseMs,
      claims,
      asker,
      inbox,
      reporter: new IdempotencyReporter(options),
      answers: new WeakMap(),
      responderFor: (delivery) => options.responderFor(delivery),
    };
  }

  /** Stands around the handlers of a subscription. */
  around(settings: IdempotentSettings): Middleware {
    const { tools, owners } = this;
    return (delivery, handle) => {
      const { group, message } = delivery;
      const key = dedupKey(delivery, settings.key);
      // Of the message, not of the subscription: that may be a pattern, and a dedup id means the same in one topic only.
      const isMessageId = key === message.messageId;
      const ref = tools.dedup.recordOf({ group, topic: message.topic, key }, { isMessageId });
      const owner = owners.next(key);
      return new Promise((conclude) =>
        new IdempotentWork({ ref, owner, delivery, settings, tools, handle, conclude }).begin(),
      );
    };
  }

  /** The answer to this delivery, if it is to be remembered. */
  answerTo(delivery: Delivery): KeptAnswer | undefined {
    return this.tools.answers.get(delivery);
  }

  stop(): void {
    this.tools.claims.stop();
  }
}
