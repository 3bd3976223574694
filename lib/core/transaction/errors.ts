import { RivuletError } from '../message/errors.js';
import type { TransactionId } from '../store/half-message-store.js';

/** Code that outlived its transaction, mostly a call that nobody awaited, sent something or wanted to begin a savepoint. Nothing of it was stored. */
export class TransactionEndedError extends RivuletError {
  readonly code = 'TRANSACTION_ENDED';
  readonly transactionId: TransactionId;

  constructor(transactionId: TransactionId) {
    super(
      `Send or savepoint after the end of transaction ${transactionId}: nothing of it was stored, and nothing can be added to what ` +
        'was decided. Await everything that the transactional method starts, or send with { transaction: false }.',
    );
    this.transactionId = transactionId;
  }
}

/** A transaction of the database is active that Rivulet did not begin, or within one of ours a savepoint of the client: its end cannot be seen. Nothing was stored. */
export class UnmanagedTransactionError extends RivuletError {
  readonly code = 'UNMANAGED_TRANSACTION';
  readonly participant: string;

  constructor(participant: string, remedy: string) {
    super(
      `Send inside a transaction or savepoint of participant "${participant}" that was not begun by Rivulet: whether the message ` +
        `may be delivered would depend on an end nobody tells us about. Nothing was stored. ${remedy}`,
    );
    this.participant = participant;
  }
}

/**
 * The database did not say whether it committed, and cannot be asked either. Its rows and the messages of the
 * transaction share one fate: once the database answers, the back-check delivers them or drops them.
 */
export class InDoubtError extends RivuletError {
  readonly code = 'IN_DOUBT';
  readonly transactionId: TransactionId;
  readonly participant: string;

  constructor(facts: { transactionId: TransactionId; participant: string }, options: ErrorOptions) {
    super(
      `It is not known whether transaction ${facts.transactionId} of participant "${facts.participant}" was committed: COMMIT was ` +
        'not answered and the database cannot be asked. Its messages become visible if it was, and never otherwise. ' +
        'Look at what the transaction wrote before you repeat it.',
      options,
    );
    this.transactionId = facts.transactionId;
    this.participant = facts.participant;
  }
}

/**
 * The topic of messages that were committed changed again each time they were placed in its queues. They are not lost: what
 * could not be published waits in the outbox, and is tried again from there.
 */
export class TopicKeepsChangingError extends RivuletError {
  readonly code = 'TOPIC_KEEPS_CHANGING';
  readonly topic: string;
  readonly transactionId: TransactionId;

  constructor(topic: string, transactionId: TransactionId) {
    super(
      `Topic "${topic}" changed again each time messages of transaction ${transactionId} were given their queues in it. They are ` +
        'published once it stays as it is for a moment. See who deletes, makes or grows it over and over.',
    );
    this.topic = topic;
    this.transactionId = transactionId;
  }
}

/** The messages could be stored neither as half messages nor in the outbox: the transaction was rolled back. */
export class BrokerUnavailableError extends RivuletError {
  readonly code = 'BROKER_UNAVAILABLE';
  readonly transactionId: TransactionId;

  constructor(transactionId: TransactionId, why: string, options?: ErrorOptions) {
    super(
      `Transaction ${transactionId} was rolled back, since its messages could not be stored: ${why}. It is safe to repeat it. ` +
        'With transactions.whenBrokerDown "outbox" they would have waited in the database.',
      options,
    );
    this.transactionId = transactionId;
  }
}
