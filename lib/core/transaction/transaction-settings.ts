import { groupProblem } from '../message/names.js';
import { describeValue, integerProblem } from '../message/options.js';
import type { TransactionParticipant } from './participant.js';

/** How database transactions and messages are tied together. */
export interface TransactionSettings {
  /** The databases that take part. */
  participants: readonly TransactionParticipant[];
  /**
   * Where messages wait for COMMIT. `half` (default): in the store, invisible. `outbox`: in the database, so that nothing
   * depends on how durable the store is.
   */
  store: 'half' | 'outbox';
  /**
   * What becomes of a transaction whose messages the store cannot take. `outbox` (default): they wait in the database.
   * `fail`: it is rolled back.
   */
  whenBrokerDown: 'outbox' | 'fail';
  /** How long an open transaction waits for the store to take its messages. Default 250. */
  halfTimeoutMs: number;
  /** How long a half message may lack a decision before somebody asks the database. Default 5 000. */
  checkAfterMs: number;
  /** A transaction that takes longer is rolled back. Default 600 000. */
  maxTransactionMs: number;
  /** Make missing tables at the start. Default true. */
  createTables: boolean;
  /** How long a database remembers which messages were handled (`idempotent: { participant }`). Default 7 days. */
  inboxKeptMs: number;
  /**
   * Most bytes of messages that a process reads from the outbox of a database at a time; those of one transaction always.
   * Default 16 MiB.
   */
  maxRelayBytes: number;
  /** Whose processes answer for transactions without a database. Default: the module's `group`, else `default`. */
  producerGroup: string;
}

export const DEFAULT_TRANSACTION_SETTINGS: TransactionSettings = {
  participants: [],
  store: 'half',
  whenBrokerDown: 'outbox',
  halfTimeoutMs: 250,
  checkAfterMs: 5_000,
  maxTransactionMs: 600_000,
  createTables: true,
  inboxKeptMs: 7 * 24 * 3_600_000,
  maxRelayBytes: 16 * 1024 * 1024,
  producerGroup: 'default',
};

/** Markers are kept for an hour at least (reference: retention): a transaction must have ended long before. */
const LONGEST_TRANSACTION_MS = 1_800_000;

export function transactionSettingProblems(settings: TransactionSettings): (string | undefined)[] {
  const { store, whenBrokerDown, createTables, participants } = settings;
  return [
    store === 'half' || store === 'outbox'
      ? undefined
      : `store must be "${'half' satisfies TransactionSettings['store']}" or "${'outbox' satisfies TransactionSettings['store']}", got: ${describeValue(store satisfies never)}`,
    whenBrokerDown === 'outbox' || whenBrokerDown === 'fail'
      ? undefined
      : `whenBrokerDown must be "${'outbox' satisfies TransactionSettings['whenBrokerDown']}" or "${'fail' satisfies TransactionSettings['whenBrokerDown']}", got: ${describeValue(whenBrokerDown satisfies never)}`,
    typeof createTables === 'boolean'
      ? undefined
      : `createTables must be true or false, got: ${describeValue(createTables)}`,
    integerProblem('halfTimeoutMs', settings.halfTimeoutMs, { min: 1, max: 60_000 }),
    integerProblem('checkAfterMs', settings.checkAfterMs, { min: 1 }),
    integerProblem('maxTransactionMs', settings.maxTransactionMs, {
      min: 1,
      max: LONGEST_TRANSACTION_MS,
    }),
    integerProblem('inboxKeptMs', settings.inboxKeptMs, { min: 60_000 }),
    integerProblem('maxRelayBytes', settings.maxRelayBytes, { min: 1 }),
    groupProblem(settings.producerGroup, 'producerGroup'),
    ...participantProblems(participants),
  ];
}

function participantProblems(participants: readonly TransactionParticipant[]): string[] {
  if (!Array.isArray(participants))
    return [`participants must be an array, got: ${describeValue(participants)}`];
  const names = participants.map((participant: Partial<TransactionParticipant> | null, i) => {
    const isOne = typeof participant?.run === 'function' && typeof participant.mark === 'function';
    return isOne ? participant.name : { i, participant };
  });
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  return [
    ...names
      .filter((name) => typeof name === 'object')
      .map(
        ({ i, participant }) =>
          `participants[${i}] must be a TransactionParticipant, as made by nestjs-rivulet/participants, got: ${describeValue(participant)}`,
      ),
    ...new Set(twice.map((name) => `participants: two are named ${JSON.stringify(name)}`)),
  ];
}
