import type { Clock } from '../runtime/clock.js';
import type { Events } from '../runtime/events.js';
import type { Availability } from '../store/stores.js';
import type { KeptMessage } from './kept-message.js';
import { encodeOutboxRow } from './outbox-row.js';
import type { TransactionId } from '../store/half-message-store.js';
import type { TransactionParticipant } from './participant.js';
import type { Publisher } from './publisher.js';
import type { TransactionFacts } from './transaction-facts.js';

export interface OutboxOptions {
  publisher: Publisher;
  availability: Availability;
  clock: Clock;
  events: Events;
  onError(error: unknown): void;
}

/** Rows are deleted together: a statement for each would cost as much as the transaction itself. */
const REMOVE_AFTER_MS = 50;

/** Messages that wait in the database, as far as the process that wrote them sees to them. */
export class Outbox {
  private readonly options: OutboxOptions;
  private readonly published = new Map<TransactionParticipant, TransactionId[]>();
  private removing: Promise<unknown> = Promise.resolve();

  constructor(options: OutboxOptions) {
    this.options = options;
  }

  /** Inside the business transaction. */
  async keep(options: {
    participant: TransactionParticipant;
    tx: unknown;
    facts: TransactionFacts;
    messages: readonly KeptMessage[];
  }): Promise<void> {
    const { participant, tx, facts, messages } = options;
    const bytes = encodeOutboxRow(messages, this.options.clock.now());
    await participant.outbox.put(tx, { id: facts.id, bytes });
    this.options.events.emit('outbox-kept', {
      transactionId: facts.id,
      participant: participant.name,
      messages: messages.length,
    });
  }

  /** The transaction was committed. Rejects when the relay has to do it. */
  async publish(
    participant: TransactionParticipant,
    facts: TransactionFacts,
    messages: readonly KeptMessage[],
  ): Promise<void> {
    const { publisher, availability } = this.options;
    // The relay publishes it as soon as the store is back.
    if (!availability.ready) return;
    await publisher.publish(facts, messages);
    this.removeSoon(participant, facts.id);
  }

  /** What is published is deleted, as far as the database answers; the relay finds the rest. */
  async close(): Promise<void> {
    this.flush();
    await this.removing;
  }

  private removeSoon(participant: TransactionParticipant, id: TransactionId): void {
    if (this.published.size === 0) this.options.clock.after(REMOVE_AFTER_MS, () => this.flush());
    const ids = this.published.get(participant);
    if (ids) ids.push(id);
    else this.published.set(participant, [id]);
  }

  private flush(): void {
    const all = [...this.published];
    this.published.clear();
    const removals = all.map(([{ outbox }, ids]) =>
      outbox.remove(ids).catch((error: unknown) => this.options.onError(error)),
    );
    this.removing = Promise.all([this.removing, ...removals]);
  }
}
