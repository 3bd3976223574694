import { InvalidOptionsError } from '../core/message/errors.js';
import type { TransactionParticipant } from '../core/transaction/participant.js';
import { checkGiven, type ClientWanted } from './common/given.js';
import { ForeignTransactions } from './common/foreign-transactions.js';
import { checkRunOptions } from './sql/run-options.js';
import type { DialectName } from './sql/sql-database.js';
import { sqlParticipant, type SqlParticipantOptions } from './sql/sql-participant.js';

/** What Prisma calls the provider of a datasource. */
const DIALECTS: Record<string, DialectName> = { postgresql: 'postgres', mysql: 'mysql' };

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

const CLIENT: ClientWanted = {
  what: 'a PrismaClient: new PrismaClient({ adapter })',
  methods: ['$transaction'],
};

const KNOWN = [
  'isolationLevel',
  'maxWait',
  'timeout',
] as const satisfies readonly (keyof PrismaTransactionOptions)[];

/** A relay publishes within such a transaction. */
const ALONE: PrismaTransactionOptions = {
  isolationLevel: 'ReadCommitted',
  maxWait: 5_000,
  timeout: 30_000,
};

/**
 * PostgreSQL, MySQL or MariaDB through Prisma with a driver adapter (the engine of older versions was not tried). `tx` is the
 * one of `$transaction`; of a client made by `$extends` it has the extensions.
 *
 * @throws InvalidOptionsError for another database.
 */
export function prismaParticipant<Tx extends PrismaTransactionLike>(
  client: PrismaClientLike<Tx>,
  options?: SqlParticipantOptions,
): TransactionParticipant<Tx, PrismaTransactionOptions> {
  checkGiven('prismaParticipant', { client, options }, CLIENT);
  const dialect = dialectOf(client);
  const others = ForeignTransactions.of(client, '$transaction');
  const begin = others.begin as PrismaClientLike<Tx>['$transaction'];
  return sqlParticipant<Tx, PrismaTransactionOptions>(
    {
      dialect,
      run(body, options) {
        checkRunOptions(options, KNOWN);
        return begin(body, options);
      },
      alone: (body) => begin(body, ALONE),
      async execute(tx, sql, values) {
        if (!answersRows(sql))
          return { rows: [], affected: await tx.$executeRawUnsafe(sql, ...values) };
        const rows = (await tx.$queryRawUnsafe(sql, ...values)) as Record<string, unknown>[];
        return { rows, affected: rows.length };
      },
      isForeign: () => others.isOpen(),
      within: (tx, work) => others.within(tx as object, work),
    },
    options,
  );
}

/** A client knows the provider of its schema; one that does not say so is taken for PostgreSQL. */
function dialectOf(client: object): DialectName {
  const { _activeProvider: provider = 'postgresql' } = client as { _activeProvider?: string };
  const dialect = DIALECTS[provider];
  if (dialect) return dialect;
  throw new InvalidOptionsError('prismaParticipant', [
    `the client is of the provider "${provider}"; it must be one of ${Object.keys(DIALECTS).join(', ')}. ` +
      'For SQLite there is libsqlParticipant',
  ]);
}

const answersRows = (sql: string): boolean => /^\s*SELECT\b|\bRETURNING\b/i.test(sql);
