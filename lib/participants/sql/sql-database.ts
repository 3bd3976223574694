export type DialectName = 'postgres' | 'mysql' | 'sqlite';

/** What a statement may carry. */
export type SqlValue = string | number | Buffer;

export interface SqlResult {
  /** Of a SELECT; empty otherwise. Names of columns are as the statement writes them. */
  rows: readonly Record<string, unknown>[];
  /** Rows that an INSERT, UPDATE or DELETE changed; 0 otherwise. */
  affected: number;
}

/**
 * A database client as transactions need it: all that an adapter for another client has to write. `sqlParticipant` makes
 * the participant of it.
 */
export interface SqlDatabase<Tx = unknown, Options = unknown> {
  readonly dialect: DialectName;

  /**
   * BEGIN, body, COMMIT on a connection of its own; ROLLBACK and the error unchanged when the body rejects. COMMIT is
   * sent only after the body resolved, and its failure rejects.
   */
  run<Result>(body: (tx: Tx) => Promise<Result>, options?: Options): Promise<Result>;

  /** As `run`, at READ COMMITTED, and never within a transaction that is under way where it is called. */
  alone<Result>(body: (tx: Tx) => Promise<Result>): Promise<Result>;

  /**
   * One statement inside the transaction. Placeholders are those of the database: `$1`, `$2` in PostgreSQL, else `?`, each
   * used once and in order. A MySQL client must use the text protocol (`query`, not `execute`): savepoints cannot be
   * prepared. Errors come through with the code of the database, at least as a `cause`.
   */
  execute(tx: Tx, sql: string, values: readonly SqlValue[]): Promise<SqlResult>;

  /**
   * Whether the code that runs now is in a transaction of this client that did not begin with `run` or `alone`. Left out
   * by clients that cannot tell: what is sent there is sent at once.
   */
  isForeign?(): boolean;

  /** Runs what belongs to a transaction of `run`: in there `isForeign` tells of what begins in there, savepoints of `tx` included. */
  within?<Result>(tx: Tx, work: () => Result): Result;
}
