import type { MessageView } from '../message/message.js';
import { withoutPeriod } from '../message/sentence.js';
import type { DeliveryFacts, Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { DeliveredEntry } from '../store/delivery-store.js';
import type { Stores } from '../store/stores.js';
import type { StoredEntry } from '../store/refs.js';
import type { Attempt } from './attempt.js';
import { describeError, type Outcome } from './outcome.js';
import type { OrderedDecision } from './ordered/settle-ordered.js';
import { ReceiptGiver } from './receipt-giver.js';
import type { Decision } from './settle.js';
import type { SettleAnswer } from './settler.js';
import type { SettledEntry, SettledMessage } from './settling.js';
import type { Subscription } from './subscription.js';

/** Says what happens to deliveries: events for programs, one line each for people. Never a body. */
export class Reporter {
  private readonly subscription: Subscription;
  private readonly events: Events;
  private readonly logger: Logger;
  private readonly receipts: ReceiptGiver;
  private readonly onTrouble: (doing: string, error: unknown) => void;
  private saidWithoutGroup = false;

  constructor(options: {
    subscription: Subscription;
    events: Events;
    logger: Logger;
    stores: Pick<Stores, 'replies'>;
    onTrouble(doing: string, error: unknown): void;
  }) {
    this.subscription = options.subscription;
    this.events = options.events;
    this.logger = options.logger;
    this.onTrouble = options.onTrouble;
    this.receipts = new ReceiptGiver({
      group: options.subscription.group,
      replies: options.stores.replies,
      onError: (error) => this.trouble('send a receipt', error),
    });
  }

  delivered(attempt: Attempt): void {
    this.tell('delivered', attempt.entry, attempt.message);
  }

  /** What became of a broadcast, which nobody settles. */
  passed(entry: DeliveredEntry, outcome: Outcome, message: MessageView | undefined): void {
    if (outcome.kind === 'succeeded') return this.tell('acked', entry, message);
    if (outcome.kind === 'filtered') return this.tell('filtered', entry, message);
    const reason = dropReason(outcome);
    if (reason === undefined) return;
    const facts = this.facts(entry, message);
    const error = errorOf(outcome);
    this.events.emit('dropped', { ...facts, reason, error });
    this.logger.error(
      `${this.line(facts)} was dropped: ${reason}. A broadcast is not tried again.`,
    );
  }

  settled(settled: {
    entry: SettledEntry;
    outcome: Outcome;
    decision: Decision;
    reply: SettleAnswer;
    message: SettledMessage | undefined;
  }): void {
    const { entry, outcome, decision, reply, message } = settled;
    // What is gone from the store is settled by the same stroke.
    if (reply === 'stale' && entry.content.kind !== 'gone') return this.refused(entry, message);
    if (reply === 'given-up') return;
    if (message?.receiptTo !== undefined) this.receipts.give(message, { outcome, decision });
    this.reportUnusual(entry, outcome);
    if (outcome.kind === 'duplicate') {
      const { dedupKey } = outcome;
      this.events.emit('duplicate', { ...this.facts(entry, message), dedupKey });
      return;
    }
    if (decision.kind === 'ack') {
      if (outcome.kind === 'succeeded') this.tell('acked', entry, message);
      if (outcome.kind === 'filtered') this.tell('filtered', entry, message);
      return;
    }
    if (decision.kind === 'release') return;
    const facts = this.facts(entry, message);
    const error = errorOf(outcome);
    if (decision.kind === 'retry') {
      this.events.emit('retried', {
        ...facts,
        delayMs: decision.delayMs,
        error: error ?? outcome.kind,
      });
      this.logger.warn(
        `${this.line(facts)} failed: ${withoutPeriod(error ?? outcome.kind)}. Next attempt in ${decision.delayMs} ms.`,
      );
    } else {
      this.events.emit('dead-lettered', { ...facts, reason: decision.reason, error });
      this.logger.error(
        `${this.line(facts)} became a dead letter: ${withoutPeriod(decision.reason)}. Read or redrive it with MessageAdmin.`,
      );
    }
  }

  /** As `settled`, for what may happen in an ordered subscription only. */
  settledInLane(settled: {
    entry: DeliveredEntry;
    outcome: Outcome;
    decision: OrderedDecision;
    message: MessageView | undefined;
    messageGroup: string | undefined;
  }): void {
    const { entry, outcome, decision, message, messageGroup } = settled;
    if (decision.kind === 'skip' && message?.receiptTo !== undefined)
      this.receipts.give(message, { outcome, decision });
    if (decision.kind !== 'park' && decision.kind !== 'skip')
      return this.settled({ entry, outcome, decision, message, reply: 'settled' });
    const facts = this.facts(entry, message);
    const { reason } = decision;
    const error = errorOf(outcome);
    if (decision.kind === 'skip') {
      this.events.emit('message-skipped', { ...facts, reason, error });
      this.logger.error(`${this.line(facts)} is left out: ${reason}. Its lane goes on.`);
    } else {
      this.events.emit('lane-parked', { ...facts, messageGroup, reason, error });
      this.logger.error(
        `${this.line(facts)} parked its lane: ${withoutPeriod(reason)}. What follows it waits until MessageAdmin.resumeLane.`,
      );
    }
  }

  /** A handler of an ordered subscription exceeds its time and does not end. */
  overdue({ entry, message }: Attempt, handlerTimeoutMs: number): void {
    this.logger.error(
      `${this.line(this.facts(entry, message))} exceeds its ${handlerTimeoutMs} ms. It was told so by its signal; until it ends, its lane waits.`,
    );
  }

  /** The delivery is somebody else's, or settled already: nothing changed. */
  refused(entry: SettledEntry, message: SettledMessage | undefined): void {
    const facts = this.facts(entry, message);
    this.events.emit('settle-refused', facts);
    this.logger.warn(
      `${this.line(facts)} was given to another consumer meanwhile; this attempt was not settled.`,
    );
  }

  trouble(doing: string, error: unknown): void {
    const { topic, group } = this.subscription;
    this.onTrouble(`${doing} (${topic}/${group})`, error);
  }

  /** Whoever asked for order gets none for a message without a message group. Said once: it may be meant. */
  withoutMessageGroup(): void {
    if (this.saidWithoutGroup) return;
    this.saidWithoutGroup = true;
    const { topic, group, origin } = this.subscription;
    this.logger.warn(
      `${topic}/${group}: ${origin} is ordered, and messages come without a message group: they keep no order among each other. Send them with { messageGroup }, or subscribe with ordered: 'queue' for the order of each queue. This is said once.`,
    );
  }

  /** A newer library wrote it: nothing behind it may overtake it. */
  heldInQueue({ queue, offset }: StoredEntry, version: number): void {
    const { topic, group } = this.subscription;
    this.events.emit('message-held', { topic, queue, group, offset, version });
    this.logger.error(
      `${topic}/${group}: offset ${offset} of queue ${queue} has wire version ${version}, which this library cannot read. The queue stops there, to keep its order; update this consumer.`,
    );
  }

  /** What was deleted from the store before the group had settled it. */
  lost({ topic, queue, offset }: Pick<StoredEntry, 'topic' | 'queue' | 'offset'>): void {
    const { group } = this.subscription;
    this.events.emit('message-lost', { topic, queue, group, offset });
    this.logger.error(
      `${topic}/${group}: offset ${offset} of queue ${queue} was deleted from the store before it was settled. It is lost.`,
    );
  }

  private reportUnusual(entry: SettledEntry, outcome: Outcome): void {
    const { topic, queue, offset } = entry;
    const { group } = this.subscription;
    if (outcome.kind === 'held') {
      this.events.emit('message-held', { topic, queue, group, offset, version: outcome.version });
      this.logger.error(
        `${topic}/${group}: offset ${offset} of queue ${queue} has wire version ${outcome.version}, which this library cannot read. It is held; update this consumer.`,
      );
    }
    if (entry.content.kind === 'gone') this.lost({ topic, queue, offset });
  }

  /** What happens to every message: nobody may be listening. */
  private tell(
    name: 'delivered' | 'acked' | 'filtered',
    entry: SettledEntry,
    message: SettledMessage | undefined,
  ): void {
    if (this.events.heard(name)) this.events.emit(name, this.facts(entry, message));
  }

  private facts(entry: SettledEntry, message: SettledMessage | undefined): DeliveryFacts {
    const { topic, queue, offset, attempt } = entry;
    return {
      topic,
      queue,
      group: this.subscription.group,
      messageId: message?.messageId ?? '?',
      key: message?.key,
      offset,
      attempt,
    };
  }

  /** An entry in which no message can be found has an offset only. */
  private line({ topic, group, queue, offset, messageId, attempt }: DeliveryFacts): string {
    const what = messageId === '?' ? `offset ${offset} of queue ${queue}` : `message ${messageId}`;
    return `${topic}/${group}: ${what} attempt ${attempt}`;
  }
}

/** Undefined: no handler saw it, or none failed. */
function errorOf(outcome: Outcome): string | undefined {
  return 'error' in outcome && outcome.error !== undefined
    ? describeError(outcome.error)
    : undefined;
}

/** Undefined: there was nothing to do for this process. */
function dropReason(outcome: Outcome): string | undefined {
  switch (outcome.kind) {
    case 'rejected':
      return outcome.reason;
    case 'failed':
    case 'retry-later':
      return `failed: ${describeError(outcome.error)}`;
    case 'held':
      return `it has wire version ${outcome.version}, which this library cannot read; update this consumer`;
    default:
      return undefined;
  }
}
