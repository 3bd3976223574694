import { RivuletError } from '../message/errors.js';
import type { TransactionId } from './participant.js';

/** Why a marker was refused. */
export type MarkerRefusal = 'decided' | 'too-late' | 'ended';

const WHAT_HAPPENED: Record<MarkerRefusal, string> = {
  decided:
    'was already decided against: it seemed dead to a back-check, which rolled it back for good. Run it again',
  'too-late':
    'took longer than it may, by the clock of the database. Make it shorter and run it again',
  ended:
    'was ended by the database on the way: the error of a statement was swallowed, or a statement commits by itself ' +
    '(DDL in MySQL, which keeps what came before it). Let the error through, or move that statement out',
};

/** The marker cannot be written: the transaction must not be committed, and none of its messages will be seen. */
export class MarkerRefusedError extends RivuletError {
  readonly code = 'MARKER_REFUSED';
  readonly transactionId: TransactionId;
  readonly reason: MarkerRefusal;

  constructor(
    facts: { participant: string; id: TransactionId; reason: MarkerRefusal },
    options?: ErrorOptions,
  ) {
    super(
      `Transaction ${facts.id} of participant "${facts.participant}" ${WHAT_HAPPENED[facts.reason]}. ` +
        'None of its messages is sent.',
      options,
    );
    this.transactionId = facts.id;
    this.reason = facts.reason;
  }
}

/** This database cannot tell what became of a transaction; nothing was decided. */
export class WrongDatabaseError extends RivuletError {
  readonly code = 'WRONG_DATABASE';
  readonly participant: string;

  constructor(participant: string, why: string, options?: ErrorOptions) {
    super(`Participant "${participant}" ${why}`, options);
    this.participant = participant;
  }
}

/**
 * The handler was not run, and nothing was changed: try again later. `held`: another delivery of the same message is being
 * handled, or ended just now. `not-begun`: the database is away or refuses; `cause` says why.
 */
export class InboxBusyError extends RivuletError {
  readonly code = 'INBOX_BUSY';
  readonly group: string;
  readonly reason: 'held' | 'not-begun';

  constructor(
    facts: { participant: string; group: string; reason?: 'held' | 'not-begun' },
    options?: ErrorOptions,
  ) {
    const { participant, group, reason = 'held' } = facts;
    super(
      `${
        reason === 'held'
          ? `Another delivery of this message to group "${group}" is in a transaction of participant "${participant}" that has not ended.`
          : `The transaction of participant "${participant}" in which group "${group}" handles a message could not be begun.`
      } Nothing was changed; it is tried again later.`,
      options,
    );
    this.group = group;
    this.reason = reason;
  }
}
