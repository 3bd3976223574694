import type { DialectName, SqlResult, SqlValue } from './sql-database.js';

/** Our tables, each with its schema, quoted. */
export interface Tables {
  tx: string;
  outbox: string;
  inbox: string;
  meta: string;
}

/**
 * What a database said no to: a row that is there; a lock that somebody holds; two transactions of which one had to give
 * way, and may try again; a transaction that is no more.
 */
export type SqlFault = 'duplicate' | 'locked' | 'collided' | 'ended' | 'other';

/** Runs one statement of one transaction; `?` stands for each value. */
export type Execute = (sql: string, values?: readonly SqlValue[]) => Promise<SqlResult>;

/** What differs between the databases. Values are written as `?` in all of them. */
export interface Dialect {
  readonly name: DialectName;
  /** Answers `home`: the schema that an unqualified name means. */
  readonly findHome: string;
  /** Of the schema given as its one value, answers `present`: how many of our tables it has. */
  readonly countTables: string;
  /** Answers `readonly` (0 or 1) and `server`, which tells this server from a copy of its data, or null. */
  readonly facts: string;
  /** Unix ms by the clock of the database, as an expression. */
  readonly now: string;
  /** What a SELECT of constants with a WHERE comes from. */
  readonly fromNothing: string;
  /** The column `v` of a verdict as text. */
  readonly verdictColumn: string;
  /** Whether rows can be locked one by one and skipped by others. */
  readonly locksRows: boolean;
  /** Set where a transaction begins and checked where it ends: rejects when it is not the same one any more. */
  readonly guard?: { set: string; check: string };
  /** First statement of a transaction that makes the tables, so that one process at a time does. */
  readonly lockSchema?: string;

  quote(name: string): string;
  /** Safe to repeat: makes what is missing. */
  createTables(tables: Tables): string[];

  /** A placeholder of the type of an id. */
  readonly idPlaceholder: string;
  toId(id: string): SqlValue;
  fromId(column: unknown): string;

  /** INSERT into `meta` of (name, value) unless the name is there, and so that the larger value stays. */
  insertMeta(meta: string): string;
  raiseMeta(meta: string): string;

  /** Insert the verdict 'R' unless there is one or `forbidden` (a condition with one value) holds. */
  insertRollback(execute: Execute, row: RollbackRow): Promise<void>;
  /** @returns false when a committed transaction entered it before. */
  insertInbox(execute: Execute, row: { inbox: string; id: SqlValue }): Promise<boolean>;
  /** Deletes at most so many rows. */
  deleteSome(options: { from: string; where: string; limit: number }): string;

  faultOf(error: unknown): SqlFault;
}

export interface RollbackRow {
  tables: Tables;
  id: SqlValue;
  /** As text that compares with what `meta` holds. */
  beganAt: string;
  /** How long to wait for whoever holds the id, where the database lets us say. */
  lockWaitMs: number;
}

/** Holds for a transaction that began before the verdicts that are deleted. Its one value is when it began. */
export const isForgotten = (meta: string): string =>
  `EXISTS (SELECT 1 FROM ${meta} WHERE name = 'purged_before' AND value > ?)`;
