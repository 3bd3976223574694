import type { EventEmitter } from 'node:events';
import { InvalidOptionsError } from '../core/message/errors.js';
import type { TransactionParticipant } from '../core/transaction/participant.js';
import { checkGiven, type ClientWanted } from './common/given.js';
import { ForeignTransactions } from './common/foreign-transactions.js';
import { keepAlive } from './sql/keep-alive.js';
import { isolationOf } from './sql/run-options.js';
import type { DialectName, SqlResult } from './sql/sql-database.js';
import { sqlParticipant, type SqlParticipantOptions } from './sql/sql-participant.js';

/** What Drizzle calls its database objects. */
const DIALECTS: Record<string, DialectName> = {
  NodePgDatabase: 'postgres',
  PostgresJsDatabase: 'postgres',
  MySql2Database: 'mysql',
};
const KIND = Symbol.for('drizzle:entityKind');

// Structural: Drizzle's types for `import` and for `require` are not assignable to each other.
interface Executes {
  execute(query: never): PromiseLike<unknown>;
}

export interface DrizzleTransactionOptions {
  /** Default: as the database is set. */
  isolation?: 'read committed' | 'repeatable read' | 'serializable';
}

export interface DrizzleParticipantOptions extends SqlParticipantOptions {
  /** Drizzle's `sql`, of the same copy of `drizzle-orm` as the database. */
  sql: (strings: TemplateStringsArray, ...values: unknown[]) => object;
}

const DATABASE: ClientWanted = {
  what: 'a database of Drizzle: drizzle(pool)',
  methods: ['transaction'],
  // Drizzle begins each transaction on it, so those that run at once are one: what fails is committed with another.
  whyNot: ({ $client }: { $client?: object }) =>
    $client && isOneConnection($client)
      ? 'one on a single connection; hand over a pool'
      : undefined,
};

/** The `tx` that Drizzle hands to a transaction of this database. */
type TxOf<Database> = Database extends {
  transaction(body: (tx: infer Tx extends Executes) => Promise<unknown>, ...rest: never[]): unknown;
}
  ? Tx
  : never;

/**
 * PostgreSQL, MySQL or MariaDB through a database of Drizzle on `pg`, `postgres` or `mysql2`. `tx` is Drizzle's.
 *
 * @throws InvalidOptionsError for another driver. For libSQL there is libsqlParticipant.
 */
export function drizzleParticipant<Database extends object>(
  database: Database,
  options: DrizzleParticipantOptions,
): TransactionParticipant<TxOf<Database>, DrizzleTransactionOptions> {
  type Tx = TxOf<Database>;
  // Somebody without types may leave them out: then it is told that `sql` is missing.
  const given = options ?? {};
  checkGiven('drizzleParticipant', { client: database, options: given }, DATABASE);
  const { sql, ...others } = given;
  if (typeof sql !== 'function')
    throw new InvalidOptionsError('drizzleParticipant', [
      "sql is missing: drizzleParticipant(database, { sql }), with import { sql } from 'drizzle-orm'",
    ]);
  const kind = (database.constructor as { [KIND]?: string })[KIND] ?? 'no database of Drizzle';
  const dialect = DIALECTS[kind];
  if (!dialect)
    throw new InvalidOptionsError('drizzleParticipant', [
      `the database is "${kind}"; it must be one of ${Object.keys(DIALECTS).join(', ')}. ` +
        'For libSQL there is libsqlParticipant',
    ]);
  const { $client } = database as { $client?: unknown };
  if (isPgPool($client)) keepAlive($client);
  const foreign = ForeignTransactions.of(database, 'transaction');
  const begin = foreign.begin as <R>(
    body: (tx: Tx) => Promise<R>,
    config?: { isolationLevel: string },
  ) => Promise<R>;
  return sqlParticipant<Tx, DrizzleTransactionOptions>(
    {
      dialect,
      run(body, options) {
        const isolation = isolationOf(options);
        return withErrorOfBody(body, (inner) =>
          begin(inner, isolation && { isolationLevel: isolation }),
        );
      },
      alone: (body) => begin(body, { isolationLevel: 'read committed' }),
      async execute(tx, text, values) {
        const strings = text.split(/\$\d+|\?/);
        const query = sql(Object.assign(strings, { raw: strings }), ...values);
        return resultOf(await (tx as Executes).execute(query as never));
      },
      isForeign: () => foreign.isOpen(),
      within: (tx, work) => foreign.within(tx as object, work),
    },
    others,
  );
}

/** Of `pg`, or of `mysql2`. A client of `postgres` is a pool, and a function. */
function isOneConnection(client: object): boolean {
  return 'escapeIdentifier' in client || ('execute' in client && !('getConnection' in client));
}

/** Of a connection that is gone, Drizzle tells that it could not be rolled back, and not what failed before. */
async function withErrorOfBody<Tx, R>(
  body: (tx: Tx) => Promise<R>,
  begin: (body: (tx: Tx) => Promise<R>) => Promise<R>,
): Promise<R> {
  let failed: { error: unknown } | undefined;
  const noted = async (tx: Tx): Promise<R> => {
    try {
      return await body(tx);
    } catch (error) {
      failed = { error };
      throw error;
    }
  };
  return begin(noted).catch((error: unknown) => {
    throw failed ? failed.error : error;
  });
}

function isPgPool(client: unknown): client is EventEmitter {
  return typeof (client as { totalCount?: unknown } | undefined)?.totalCount === 'number';
}

/** As `pg`, `mysql2` and `postgres` answer, in this order. */
function resultOf(answer: unknown): SqlResult {
  type Rows = SqlResult['rows'];
  if (!Array.isArray(answer)) {
    const { rows, rowCount } = answer as { rows: Rows; rowCount: number | null };
    return { rows, affected: rowCount ?? 0 };
  }
  if ('count' in answer) return { rows: [...answer] as Rows, affected: Number(answer.count) };
  const [result] = answer as [Rows | { affectedRows: number }];
  return Array.isArray(result)
    ? { rows: result, affected: 0 }
    : { rows: [], affected: (result as { affectedRows: number }).affectedRows };
}
