import type { TransactionParticipant } from 'nestjs-rivulet';

/** What the shop asks of a database: SQLite without any set-up, or PostgreSQL. */
export abstract class Database {
  /** Ties its transactions to messages. */
  abstract readonly participant: TransactionParticipant;

  /** In the transaction of this handle, or by itself. Values are `$1`, `$2`, … */
  abstract query<Row>(sql: string, values: (string | number)[], tx?: unknown): Promise<Row[]>;

  abstract close(): Promise<void>;
}
