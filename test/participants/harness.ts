import type { TransactionParticipant } from '../../lib/core/transaction/participant.js';

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

/** One database behind one client library, with a table `orders (id text)` of the business. */
// oxlint-disable-next-line typescript/no-explicit-any -- each client has a handle of its own
export interface ParticipantHarness<Tx = any> {
  readonly dialect: 'postgres' | 'mysql' | 'sqlite' | 'mongodb';
  /** A participant as another process has it: with connections of its own. */
  open(options?: { name?: string }): Promise<TransactionParticipant<Tx>>;
  /** The business writes an order within the transaction. */
  write(tx: Tx, order: string): Promise<void>;
  /** Committed orders, sorted, read on a connection of its own. */
  orders(): Promise<string[]>;
  /** Options of `run` for an isolation level, when the client can choose one. */
  isolation?(level: Isolation): unknown;
  /** Reads orders within the transaction: takes its snapshot where the isolation level has one. */
  read(tx: Tx): Promise<unknown>;
  /** Ends the connection of the transaction from the side of the server. */
  kill?(tx: Tx): Promise<void>;
  /** A statement of the transaction fails, and nobody hears of it. */
  swallow?(tx: Tx): Promise<void>;
  /** The application begins a transaction by itself, on the client of an opened participant. */
  foreign?<R>(participant: TransactionParticipant<Tx>, body: () => Promise<R>): Promise<R>;
  /** The application makes a savepoint by the handle of one of ours. */
  savepoint?(tx: Tx, body: (tx: Tx) => Promise<void>): Promise<void>;
  /** Deletes all rows of all tables but the identity. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

export type OpenParticipants = () => Promise<ParticipantHarness>;

/** Which tests apply: what the client and its database can do. */
export interface Abilities {
  /** `run` takes an isolation level. */
  isolation?: boolean;
  /** Others write while a transaction is open. */
  writersMeet: boolean;
  kill?: boolean;
  swallow?: boolean;
  /** Default true. */
  savepoints?: boolean;
  /** Whether a transaction waits for another one that wrote the same; it is told to come again otherwise. Default true. */
  waits?: boolean;
  /** The client can tell of transactions that the application began by itself. */
  foreign?: boolean;
  /** The handle of the client makes savepoints. */
  ownSavepoints?: boolean;
}
