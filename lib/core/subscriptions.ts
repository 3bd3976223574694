import { type BatchOptions, batchProblems, batchSettings } from './consumer/batch/batch-options.js';
import { type BatchHandler, Batcher } from './consumer/batch/batcher.js';
import type { Consumers } from './consumer/consumers.js';
import { replying } from './consumer/replying.js';
import { Responder } from './consumer/responder.js';
import type { RunningSubscription } from './consumer/running-subscription.js';
import { type Delivery, subscription, type SubscriptionOptions } from './consumer/subscription.js';
import { UnsentAnswers } from './consumer/unsent-answers.js';
import { Idempotency } from './idempotency/idempotency.js';
import {
  type IdempotentOptions,
  idempotentProblems,
  idempotentSettings,
  inboxProblems,
} from './idempotency/idempotent-options.js';
import type { InboxEntry } from './idempotency/through-inbox.js';
import type { Codecs } from './message/codecs.js';
import { InvalidInputError, InvalidOptionsError } from './message/errors.js';
import type { Clock } from './runtime/clock.js';
import type { Events } from './runtime/events.js';
import type { Logger } from './runtime/logger.js';
import type { TraceScope } from './runtime/trace.js';
import type { RivuletSettings } from './settings.js';
import type { Stores } from './store/stores.js';
import { once } from './transaction/inbox.js';
import { InboxBusyError } from './transaction/participant-errors.js';
import type { Transactions } from './transaction/transactions.js';

export interface SubscribeOptions extends SubscriptionOptions {
  /** Answer requests with what the handler returns. Default false. */
  reply?: boolean;
  /** Run the handler once for each dedup key, also when the message is delivered again. Default false. */
  idempotent?: boolean | IdempotentOptions;
}

export interface SubscribeBatchOptions extends Omit<SubscribeOptions, 'handler' | 'reply'> {
  handler: BatchHandler;
  batch?: BatchOptions;
  /** Batches at the same time in this process. Default 1. */
  concurrency?: number;
}

export interface SubscriptionsOptions {
  consumers: Consumers;
  transactions: Transactions;
  stores: Stores;
  codecs: Codecs;
  clock: Clock;
  events: Events;
  logger: Logger;
  settings: RivuletSettings;
  trace: TraceScope;
  onTrouble(doing: string, error: unknown): void;
}

/** Makes subscriptions of what users ask for: with answers, once for each dedup key, one at a time or in batches. */
export class Subscriptions {
  private readonly options: SubscriptionsOptions;
  private readonly idempotency: Idempotency;
  private readonly unsent: UnsentAnswers;

  constructor(options: SubscriptionsOptions) {
    this.options = options;
    const { stores, settings } = options;
    this.unsent = new UnsentAnswers({ mostBytes: settings.requests.maxInboxBytes });
    this.idempotency = new Idempotency({
      ...options,
      dedup: stores.dedup,
      leaseMs: settings.consumer.claimLeaseMs,
      inbox: (entry, handle) => this.throughInbox(entry, handle),
      responderFor: (delivery) => this.responder(delivery),
    });
  }

  /** @throws InvalidOptionsError, or DuplicateSubscriptionError. */
  add(options: SubscribeOptions): RunningSubscription {
    return this.addChecked(options, []);
  }

  /** @throws as `add` does. */
  addBatch(options: SubscribeBatchOptions): RunningSubscription {
    const { handler, batch, concurrency = 1, ...rest } = options;
    const problems = batchProblems(batch, concurrency);
    const settings = batchSettings(problems.length === 0 ? batch : {});
    const { clock, trace } = this.options;
    const batcher = new Batcher({ ...settings, handler, concurrency, clock, trace });
    const slots = problems.length === 0 ? settings.size * concurrency : 1;
    return this.addChecked(
      { ...rest, handler: batcher.handler, isBatch: true, concurrency: slots },
      problems,
    );
  }

  /** Those to a topic, or to a pattern, in a group. @throws InvalidInputError when this process has none. */
  of(topic: string, group: string): RunningSubscription[] {
    const found = this.options.consumers.of(topic, group);
    if (found.length > 0) return found;
    throw new InvalidInputError('Pause or resume', [
      `this process has no subscription to topic "${topic}" in group "${group}"`,
    ]);
  }

  /** The way to answer a delivery that is a request. */
  responder(delivery: Delivery): Responder {
    const { stores, codecs, clock, settings, onTrouble } = this.options;
    const kept = this.idempotency.answerTo(delivery);
    return new Responder({
      message: delivery.message,
      replies: stores.replies,
      codecs,
      clock,
      maxBytes: settings.producer.maxMessageBytes,
      unsent: this.unsent,
      maxInboxBytes: settings.requests.maxInboxBytes,
      onStep: kept && ((kind, packet) => kept.note(kind, packet)),
      onError: (error) => onTrouble('reply', error),
    });
  }

  /** The handlers have ended: nothing of theirs is kept ours any more. */
  stop(): void {
    this.idempotency.stop();
  }

  private addChecked(options: SubscribeOptions, found: readonly string[]): RunningSubscription {
    const { consumers, transactions, settings: all } = this.options;
    const { reply, idempotent, ...rest } = options;
    const problems = [
      ...idempotentProblems(idempotent, rest.mode),
      ...inboxProblems(idempotent, all.transactions),
    ];
    const settings = problems.length === 0 ? idempotentSettings(idempotent) : undefined;
    problems.push(...participantProblems(settings?.participant, transactions));
    const around = settings && this.idempotency.around(settings);
    const made = { ...rest, around, ...(reply && this.answering(rest)) };
    return consumers.add(subscription(made, [...found, ...problems]));
  }

  private answering({
    handler,
    refuse = (delivery, error) =>
      this.responder(delivery).error({ status: 'error', message: error.message }),
  }: SubscriptionOptions): Pick<SubscriptionOptions, 'handler' | 'refuse'> {
    return { handler: replying(handler, (delivery) => this.responder(delivery)), refuse };
  }

  private async throughInbox(
    { participant, ...entry }: InboxEntry,
    handle: () => Promise<void>,
  ): Promise<'handled' | 'duplicate' | 'busy'> {
    const { transactions, onTrouble } = this.options;
    try {
      return await once(entry, handle, { transactions, participant });
    } catch (error) {
      if (!(error instanceof InboxBusyError)) throw error;
      // It may be one that never heals, such as a right that is missing.
      if (error.reason === 'not-begun')
        onTrouble(
          `begin a transaction of participant "${participant}" for a message to group "${entry.group}"`,
          error.cause,
        );
      return 'busy';
    }
  }
}

/** Found now, rather than with the first message, when there is none of this name. */
function participantProblems(
  name: string | undefined,
  transactions: Pick<Transactions, 'participant'>,
): string[] {
  try {
    if (name !== undefined) transactions.participant(name);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidOptionsError)) throw error;
    return error.problems.map((problem) => `idempotent.participant: ${problem}`);
  }
}
