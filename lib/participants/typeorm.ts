import type { DataSource, EntityManager, QueryResult } from 'typeorm';
import { InvalidOptionsError } from '../core/message/errors.js';
import type { TransactionParticipant } from '../core/transaction/participant.js';
import { checkGiven, type ClientWanted } from './common/given.js';
import { ForeignTransactions } from './common/foreign-transactions.js';
import { isolationOf } from './sql/run-options.js';
import type { DialectName } from './sql/sql-database.js';
import { sqlParticipant, type SqlParticipantOptions } from './sql/sql-participant.js';

const DIALECTS: Record<string, DialectName> = {
  postgres: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
};

const DATA_SOURCE: ClientWanted = {
  what: 'a DataSource of TypeORM',
  methods: ['createQueryRunner', 'transaction'],
  whyNot: ({ options }: { options?: unknown }) =>
    typeof options === 'object' ? undefined : 'an object without options',
};

export interface TypeormTransactionOptions {
  /** Default: as the database is set. */
  isolation?: 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';
}

/**
 * PostgreSQL, MySQL or MariaDB through a DataSource of TypeORM. `tx` is the EntityManager of the transaction.
 *
 * @throws InvalidOptionsError for another database. SQLite is refused for good: all statements of such a DataSource share
 *   one connection, so whatever else the application does meanwhile becomes part of the open transaction.
 */
export function typeormParticipant(
  dataSource: DataSource,
  options?: SqlParticipantOptions,
): TransactionParticipant<EntityManager, TypeormTransactionOptions> {
  checkGiven('typeormParticipant', { client: dataSource, options }, DATA_SOURCE);
  const { type } = dataSource.options;
  const dialect = DIALECTS[type];
  if (!dialect)
    throw new InvalidOptionsError('typeormParticipant', [
      `the DataSource is of type "${type}"; it must be PostgreSQL, MySQL or MariaDB. ` +
        'On SQLite, TypeORM mixes the statements of transactions that run at once: use libsqlParticipant',
    ]);
  const others = ForeignTransactions.of(dataSource.manager, 'transaction');
  return sqlParticipant<EntityManager, TypeormTransactionOptions>(
    {
      dialect,
      run(body, options) {
        const isolation = isolationOf(options)?.toUpperCase();
        return inTransaction(dataSource, isolation as TypeormTransactionOptions['isolation'], body);
      },
      alone: (body) => inTransaction(dataSource, 'READ COMMITTED', body),
      async execute(tx, sql, values) {
        const { records, affected } = (await tx.queryRunner!.query(
          sql,
          [...values],
          true,
        )) as QueryResult<Record<string, unknown>>;
        return { rows: records, affected: affected ?? 0 };
      },
      isForeign: () => others.isOpen(),
      within: (tx, work) => others.within(tx as object, work),
    },
    options,
  );
}

/** On a runner of its own: `dataSource.transaction` may be patched to join an ambient one. */
async function inTransaction<Result>(
  dataSource: DataSource,
  isolation: TypeormTransactionOptions['isolation'],
  body: (manager: EntityManager) => Promise<Result>,
): Promise<Result> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.startTransaction(isolation);
    const result = await body(runner.manager);
    await runner.commitTransaction();
    return result;
  } catch (error) {
    // The error is the first one's; a connection that cannot roll back is closed by the driver.
    if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
    throw error;
  } finally {
    await runner.release();
  }
}
