import type { TransactionParticipant } from '../core/transaction/participant.js';
import { ForeignTransactions } from './sql/foreign-transactions.js';
import { sqlParticipant, type SqlParticipantOptions } from './sql/sql-participant.js';

export interface PrismaTransactionOptions {
  /** Default: as the database is set. */
  isolationLevel?: 'ReadCommitted' | 'RepeatableRead' | 'Serializable';
  /** How long to wait for a connection. Default 2 000, by Prisma. */
  maxWait?: number;
  /** How long the transaction may take, storing its messages included. Default 5 000, by Prisma. */
  timeout?: number;
}

/** The part of a generated `PrismaClient` that is needed here; the client is generated, so no package has its type. */
export interface PrismaClientLike<Tx> {
  $transaction<Result>(
    body: (tx: Tx) => Promise<Result>,
    options?: PrismaTransactionOptions,
  ): Promise<Result>;
}

/** The part of Prisma's `tx`. */
export interface PrismaTransactionLike {
  $queryRawUnsafe(sql: string, ...values: unknown[]): PromiseLike<unknown>;
  $executeRawUnsafe(sql: string, ...values: unknown[]): PromiseLike<number>;
}

/** A relay publishes within such a transaction. */
const ALONE: PrismaTransactionOptions = {
  isolationLevel: 'ReadCommitted',
  maxWait: 5_000,
  timeout: 30_000,
};

/** PostgreSQL through Prisma, with its driver adapter or engine. `tx` is the one of `$transaction`. */
export function prismaParticipant<Tx extends PrismaTransactionLike>(
  client: PrismaClientLike<Tx>,
  options?: SqlParticipantOptions,
): TransactionParticipant<Tx, PrismaTransactionOptions> {
  const others = ForeignTransactions.of(client, '$transaction');
  const begin = others.begin as PrismaClientLike<Tx>['$transaction'];
  return sqlParticipant<Tx, PrismaTransactionOptions>(
    {
      dialect: 'postgres',
      run: (body, runOptions) => begin(body, runOptions),
      alone: (body) => begin(body, ALONE),
      async execute(tx, sql, values) {
        if (!answersRows(sql))
          return { rows: [], affected: await tx.$executeRawUnsafe(sql, ...values) };
        const rows = (await tx.$queryRawUnsafe(sql, ...values)) as Record<string, unknown>[];
        return { rows, affected: rows.length };
      },
      isForeign: () => others.isOpen(),
    },
    options,
  );
}

const answersRows = (sql: string): boolean => /^\s*SELECT\b|\bRETURNING\b/i.test(sql);
