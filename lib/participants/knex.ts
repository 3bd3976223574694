import type { Knex } from 'knex';
import { InvalidOptionsError } from '../core/message/errors.js';
import type { TransactionParticipant } from '../core/transaction/participant.js';
import { checkGiven, type ClientWanted } from './common/given.js';
import { ForeignTransactions } from './common/foreign-transactions.js';
import { isolationOf } from './sql/run-options.js';
import type { DialectName, SqlResult } from './sql/sql-database.js';
import { sqlParticipant, type SqlParticipantOptions } from './sql/sql-participant.js';

const DIALECTS: Record<string, DialectName> = { postgresql: 'postgres', mysql: 'mysql' };

const KNEX: ClientWanted = {
  what: "an instance of Knex: knex({ client: 'pg', connection })",
  methods: ['transaction', 'raw'],
  whyNot: ({ client }: { client?: unknown }) =>
    typeof client === 'object' ? undefined : 'one that is connected to nothing',
};

export interface KnexTransactionOptions {
  /** Default: as the database is set. */
  isolation?: 'read committed' | 'repeatable read' | 'serializable';
}

/**
 * PostgreSQL, MySQL or MariaDB through Knex. `tx` is Knex's transaction.
 *
 * @throws InvalidOptionsError for another database.
 */
export function knexParticipant(
  knex: Knex,
  options?: SqlParticipantOptions,
): TransactionParticipant<Knex.Transaction, KnexTransactionOptions> {
  checkGiven('knexParticipant', { client: knex, options }, KNEX);
  const name = (knex.client as { dialect: string }).dialect;
  const dialect = DIALECTS[name];
  if (!dialect)
    throw new InvalidOptionsError('knexParticipant', [
      `Knex is connected to "${name}"; it must be PostgreSQL, MySQL or MariaDB. For SQLite there is libsqlParticipant`,
    ]);
  const others = ForeignTransactions.of(knex, 'transaction');
  const begin = others.begin as Knex['transaction'];
  return sqlParticipant<Knex.Transaction, KnexTransactionOptions>(
    {
      dialect,
      run(body, options) {
        const isolation = isolationOf(options);
        return begin(body, isolation ? { isolationLevel: isolation } : {});
      },
      alone: (body) => begin(body, { isolationLevel: 'read committed' }),
      async execute(tx, sql, values) {
        const answer: unknown = await tx.raw(sql.replaceAll(/\$\d+/g, '?'), [...values]);
        return dialect === 'postgres' ? ofPg(answer) : ofMysql(answer);
      },
      isForeign: () => others.isOpen(),
      within: (tx, work) => others.within(tx as object, work),
    },
    options,
  );
}

const ofPg = (answer: unknown): SqlResult => {
  const { rows, rowCount } = answer as { rows: SqlResult['rows']; rowCount: number | null };
  return { rows, affected: rowCount ?? 0 };
};

const ofMysql = (answer: unknown): SqlResult => {
  const [result] = answer as [SqlResult['rows'] | { affectedRows: number }];
  return Array.isArray(result)
    ? { rows: result, affected: 0 }
    : { rows: [], affected: (result as { affectedRows: number }).affectedRows };
};
