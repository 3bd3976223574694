import type { Agenda } from './agenda.js';
import type { AcksWanted, AppendEntry, AppendResult } from './message-log.js';
import type { QueueRef } from './refs.js';
import type { WhenFull } from './topic-registry.js';

/** UUIDv7, new with each attempt of a transaction: its first 48 bits say when it began (Unix ms). */
export type TransactionId = string;

/** Halves of one owner in one queue. */
export interface HalfQueue extends QueueRef {
  /** Who can say what became of the transaction: `ownerKey` of core/transaction/half-owner.ts. */
  readonly owner: string;
}

/** All messages of one transaction for one queue. */
export interface HalfMessages {
  /** Identity, together with the queue: a repeat with the same id changes nothing. */
  readonly id: TransactionId;
  /** Name of the participant, or of the transaction: for people. */
  readonly name: string;
  /** In the order in which they will be appended. */
  readonly entries: readonly AppendEntry[];
  /** Nobody is asked about it before so many milliseconds have passed. */
  readonly checkAfterMs: number;
}

export interface HalfCall extends HalfQueue {
  /** Of the topic, when the queue was chosen. */
  readonly generation: number;
  readonly halves: readonly HalfMessages[];
  /** How far all of them must be stored, what was there before, too. Default: the memory of the server that took them. */
  readonly acks?: AcksWanted | undefined;
}

/** The end of a half: absorbing. Remembered for 24 hours, and answered to whatever comes later. */
export type Resolved =
  /** Visible or scheduled, each message once; the results are those of the first commit. */
  { state: 'committed'; results: AppendResult[] } | { state: 'rolled-back' };

/** Every answer names the transaction it is about. */
export type PrepareReply = { id: TransactionId } & (
  | Resolved
  /** Stored and invisible, now or by an earlier call. */
  | { state: 'prepared' }
  /** `maxLength` leaves room for `room` messages only; nothing was stored. */
  | { state: 'full'; room: number; whenFull: WhenFull }
  /** The topic has another generation (0: no such queue): look it up again. Nothing was stored. */
  | { state: 'moved'; generation: number }
);

export type ResolveReply = { id: TransactionId } & (
  | Resolved
  /** Never prepared here, or resolved more than 24 hours ago; nothing changed. */
  | { state: 'unknown' }
);

export type PublishReply = { id: TransactionId } & (
  | Resolved
  | { state: 'full'; room: number; whenFull: WhenFull }
  /** Nothing of it is here, and `prepare` with this generation cannot bring it here any more. */
  | { state: 'moved'; generation: number }
);

export type ExtendReply = { id: TransactionId } & (
  Resolved | { state: 'extended' } | { state: 'parked' } | { state: 'unknown' }
);

/** The topic by which messages are given their queues. */
export interface Placement {
  readonly generation: number;
  readonly queues: number;
}

/** What is known about a half without looking into its messages. */
export interface HalfFacts {
  readonly id: TransactionId;
  readonly owner: string;
  readonly name: string;
  /** Unix ms by the store's clock. */
  readonly preparedAt: number;
  /** How often somebody answered "unknown". A check that nobody answered is not counted. */
  readonly checks: number;
  readonly messages: number;
  /** When its messages are to become visible, as `AppendEntry.due`; undefined: at once. */
  readonly dues: readonly AppendEntry['due'][];
}

export interface ClaimedHalf extends HalfFacts {
  /** Frames of its messages; empty unless they were asked for. */
  readonly frames: readonly Buffer[];
}

export interface ClaimedHalves {
  readonly now: number;
  readonly halves: ClaimedHalf[];
  /** Claimed, too, and damaged: nobody can be asked about them. */
  readonly unreadable: TransactionId[];
  /** When the next one is due, Unix ms by the store's clock; null when none waits. */
  readonly nextCheckAt: number | null;
  /** How many halves of this owner are in the queue, claimed ones included. */
  readonly waiting: number;
}

export interface HalfView extends QueueRef, HalfFacts {
  readonly frames: readonly Buffer[];
  /**
   * When it is asked about next, Unix ms by the store's clock, and later by as much as that was set back since the queue had
   * halves; null while it is parked.
   */
  readonly checkAt: number | null;
  /** Why the library will not decide it; null while it will. */
  readonly parked: string | null;
}

/**
 * Messages that are stored and invisible until their transaction is decided.
 *
 * Every move is one atomic step for one queue and takes many transactions at once; replies come in the order of the
 * call, one for each transaction. Every move is safe to repeat, and a lost reply is asked for again by repeating it.
 * States: nothing → prepared → committed | rolled-back, and prepared ⇄ parked. The last two are absorbing.
 *
 * With `acks` a move answers once it is stored so far. It throws AcksMissedError when it was carried out and that was not
 * reached in time; StoreRefusedError with reason `NO_DISK_ACKS`, before anything is done, where nobody could tell.
 *
 * A half stays in the queue in which it was prepared, whatever becomes of the topic; `commit` is refused by no limit,
 * no generation and no lack of memory.
 */
export interface HalfMessageStore {
  /**
   * Store halves, all messages of each or none. Room under `maxLength` is reserved, so that `commit` finds it.
   *
   * @throws StoreRefusedError nothing was stored. StoreUnavailableError: not known; repeat it.
   */
  prepare(call: HalfCall): Promise<PrepareReply[]>;

  /**
   * Append the messages as `MessageLog.append` does: visible, or scheduled when they are due later (counted from now),
   * or left out as a duplicate when another message has their dedup id by now.
   */
  commit(
    queue: HalfQueue & Pick<HalfCall, 'acks'>,
    ids: readonly TransactionId[],
  ): Promise<ResolveReply[]>;

  /** Drop halves. Also one that was never prepared here: a `prepare` that arrives later stores nothing. */
  rollback(
    queue: HalfQueue,
    ids: readonly TransactionId[],
  ): Promise<({ id: TransactionId } & Resolved)[]>;

  /**
   * Append messages of transactions that are known to be committed, whether their halves are here or not (outbox).
   * Of `publish` and `commit`, in any order and number, exactly one appends. What became of them is remembered for 24
   * hours after the last `publish`: whoever is held up by others of its messages may try for as long as it takes.
   */
  publish(call: HalfCall): Promise<PublishReply[]>;

  /**
   * Say by which generation messages of a committed transaction are placed that cannot go where they were meant to: the
   * first word counts for everybody, so that whoever publishes the rest of them places all of them alike. Kept for 24
   * hours after it was last asked for, also when the topic is removed meanwhile.
   *
   * @param id of the messages in question: no transaction has it.
   * @returns what was said first; `isNew`: by this call.
   */
  placeOnce(
    topic: string,
    id: TransactionId,
    placement: Placement,
  ): Promise<Placement & { isNew: boolean }>;

  /**
   * Ask about it after `afterMs` from now: by its owner, "I am still at work"; by a checker, "not known yet".
   * `answered`: somebody was asked and did not know; counted.
   */
  extend(
    queue: HalfQueue,
    items: readonly { id: TransactionId; afterMs: number; answered: boolean }[],
  ): Promise<ExtendReply[]>;

  /**
   * Halves that are due to be asked about, longest due first; each is hidden from other checkers for `leaseMs`.
   *
   */
  claimDue(
    queue: HalfQueue,
    claim: { limit: number; leaseMs: number; frames: boolean },
  ): Promise<ClaimedHalves>;

  /** Leave them to the operator: nobody is asked any more. They can still be committed and rolled back. */
  park(
    queue: HalfQueue,
    items: readonly { id: TransactionId; reason: string }[],
  ): Promise<ExtendReply[]>;

  /** Ask about them at once, also about parked ones, and count their checks anew. */
  unpark(queue: HalfQueue, ids: readonly TransactionId[]): Promise<ExtendReply[]>;

  /** When the oldest transaction began that waits here (Unix ms, from its id); null when none does. */
  oldest(queue: HalfQueue): Promise<number | null>;

  /** Halves of all owners in order of their transaction ids, waiting and parked, from `after` (exclusive). */
  list(ref: QueueRef, page: { after?: TransactionId; count: number }): Promise<HalfView[]>;

  find(ref: QueueRef, id: TransactionId): Promise<HalfView | undefined>;

  count(ref: QueueRef): Promise<{ waiting: number; parked: number }>;

  /**
   * Which queues may hold halves, for those who can answer: one agenda for each `board` (`boardOf` of
   * core/transaction/half-owner.ts). Note a queue before its first half.
   */
  agenda(board: string): Agenda;
}
