/** What became of a transaction. `unknown`: nobody can say yet; ask again. */
export type Resolution = 'commit' | 'rollback' | 'unknown';

/** `forgotten`: it began before the verdicts that `purge` deleted, so nobody may decide it any more. */
export type Verdict = Resolution | 'forgotten';

/** UUIDv7: its first 48 bits say when the transaction began, by which marker rows are purged. */
export type TransactionId = string;

/**
 * A database that takes part in a transaction: what the business writes and the messages sent with it become visible
 * together, because the database alone decides.
 *
 * The decision is a marker row `(transaction id, 'C')`, the last statement before COMMIT. Whoever finds a half message
 * without a verdict inserts `(transaction id, 'R')`; the primary key decides who came first (DTM's barrier trick, with
 * the differences of docs/decisions). Rows are never changed, and deleted only by `purge`.
 */
export interface TransactionParticipant<Tx = unknown, Options = unknown> {
  /** Stored in every half message: which database decides. Unique among the participants of an application. */
  readonly name: string;

  /** Make the tables if they are missing. Safe to repeat, and by many processes at once. */
  prepare(): Promise<void>;

  /**
   * Id of the database itself, a UUID made once: only where it is the same may a half message be decided. Read from the
   * database by every call.
   *
   * @throws WrongDatabaseError when this database cannot decide: a read-only replica, the tables are missing, or its client
   *   cannot do what a transaction needs.
   */
  identity(): Promise<string>;

  /**
   * BEGIN, body, COMMIT, on a connection of its own.
   *
   * COMMIT is sent only after `body` resolved. Rejects with the error of `body` unchanged, rolled back; any other rejection
   * after `body` resolved means that the outcome of COMMIT is not known here. `body` may be called more than once by
   * databases that repeat (MongoDB); only the last call counts.
   */
  run<Result>(body: (tx: Tx) => Promise<Result>, options?: Options): Promise<Result>;

  /**
   * The first statement of a transaction that somebody else began, for databases whose `mark` needs it to notice that the
   * transaction was ended on the way. `run` does it itself.
   */
  opened?(tx: Tx): Promise<void>;

  /**
   * A savepoint around `body`: when it rejects, what it wrote is undone and the transaction goes on. Rejects with its error,
   * or, when that could not be undone, with one whose cause it is: then the transaction must not be committed.
   */
  nested?<Result>(tx: Tx, body: (tx: Tx) => Promise<Result>): Promise<Result>;

  /**
   * Insert the marker as the last statement of the transaction, on its outermost level.
   *
   * @throws MarkerRefusedError when the transaction was already decided against, the database had ended it, or `deadline`
   *   (Unix ms) has passed by the clock of the database. After any error nothing may be committed.
   */
  mark(tx: Tx, marker: { id: TransactionId; deadline: number }): Promise<void>;

  /**
   * One verdict for each id. An id of which nothing is known is decided against: `rollback` is inserted, then read by a
   * separate statement, at READ COMMITTED on a connection of its own. A lock that is held, a deadlock or a database
   * that is down is `unknown`. Safe to repeat, by any number of processes at once: a verdict never changes.
   *
   * @param tell Hears why the database could not be asked about some of them; not of a lock that is held.
   */
  decide(
    ids: readonly TransactionId[],
    tell?: (why: Error) => void,
  ): Promise<Map<TransactionId, Verdict>>;

  /**
   * Delete verdicts of transactions that began before `before` (Unix ms), at most `limit`, after having noted that those
   * may not be decided any more (`forgotten`). @returns how many.
   */
  purge(before: number, limit: number): Promise<number>;

  /**
   * Called at a send outside of a unit of work, and with `within` also inside of one. @returns what to do instead, in one line,
   * when a transaction or a savepoint of this database is active here that the unit of work does not know: its end could not be seen.
   */
  foreign?(): string | undefined;

  /** Runs the work of a transaction of ours: within it `foreign` tells only of what is begun there. */
  within?<Result>(tx: Tx, work: () => Result): Result;

  readonly outbox: OutboxTable<Tx>;
  readonly inbox: InboxTable<Tx>;
}

/** Messages that wait in the database because the store could not take them. */
export interface OutboxTable<Tx = unknown> {
  /** Inside the business transaction. `bytes` is opaque here. */
  put(tx: Tx, row: { id: TransactionId; bytes: Buffer }): Promise<void>;

  /**
   * Oldest rows first, at most `limit`, and of at most `maxBytes` unless the first alone has more; each locked for the
   * length of the call and skipped by others (SKIP LOCKED at READ COMMITTED). Rows whose ids `publish` answers are
   * deleted in the same transaction; when it rejects, none are. Rows of transactions that began after `before` (Unix
   * ms) are left to their owners, and so are those up to `after`: a row that nobody can publish stays, and must not
   * stand in front of others.
   *
   * @returns how many rows were taken.
   */
  drain(
    options: { limit: number; maxBytes: number; before: number; after?: TransactionId },
    publish: (rows: readonly OutboxRow[]) => Promise<readonly TransactionId[]>,
  ): Promise<number>;

  /** Delete rows whose messages were published. Safe to repeat. */
  remove(ids: readonly TransactionId[]): Promise<void>;
}

export interface OutboxRow {
  id: TransactionId;
  bytes: Buffer;
}

/** Which messages a consumer group has handled, written in the transaction of the handler. */
export interface InboxTable<Tx = unknown> {
  /**
   * The first statement of the handler's transaction. A concurrent duplicate waits for the first one to end.
   *
   * @returns `duplicate` when a committed transaction entered it before.
   * @throws InboxBusyError when the row stays locked for too long: try again later, it is not an attempt.
   */
  enter(tx: Tx, entry: { group: string; key: string }): Promise<'entered' | 'duplicate'>;

  /**
   * The last statement of the handler's transaction where nothing was sent, so that no marker looks.
   *
   * @throws when the database has ended the transaction on the way: COMMIT would be answered, and the entry not be there.
   */
  leave?(tx: Tx): Promise<void>;

  /** Delete entries made before `before` (Unix ms), at most `limit`. @returns how many. */
  purge(before: number, limit: number): Promise<number>;
}
