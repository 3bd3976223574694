import type { Pool, PoolClient } from 'pg';
import type { TransactionParticipant } from '../core/transaction/participant.js';
import { checkGiven, type ClientWanted } from './common/given.js';
import { answerInTime, type CommitTimeout, commitTimeoutOf } from './sql/commit-timeout.js';
import { keepAlive } from './sql/keep-alive.js';
import { isolationOf } from './sql/run-options.js';
import type { SqlDatabase } from './sql/sql-database.js';
import { sqlParticipant, type SqlParticipantOptions } from './sql/sql-participant.js';

export interface PgTransactionOptions {
  /** Default: as the database is set, which is `read committed` unless somebody changed it. */
  isolation?: 'read committed' | 'repeatable read' | 'serializable';
}

export interface PgParticipantOptions extends SqlParticipantOptions, CommitTimeout {}

const POOL: ClientWanted = {
  what: 'a pool of pg: new Pool()',
  methods: ['connect', 'on', 'listenerCount'],
  whyNot: (pool) => ('escapeIdentifier' in pool ? 'a Client, which is one connection' : undefined),
};

/**
 * PostgreSQL through a pool of `pg`. `tx` is the client on which the transaction runs.
 *
 * @throws InvalidOptionsError for anything else, and for options that nobody knows.
 */
export function pgParticipant(
  pool: Pool,
  options: PgParticipantOptions = {},
): TransactionParticipant<PoolClient, PgTransactionOptions> {
  checkGiven('pgParticipant', { client: pool, options }, POOL);
  const { commitTimeoutMs, ...others } = options;
  keepAlive(pool);
  const timeoutMs = commitTimeoutOf({ commitTimeoutMs });
  const transact = <Result>(begin: string, body: (client: PoolClient) => Promise<Result>) =>
    inTransaction({ pool, begin, timeoutMs }, body);
  const database: SqlDatabase<PoolClient, PgTransactionOptions> = {
    dialect: 'postgres',
    run(body, options) {
      const isolation = isolationOf(options);
      return transact(isolation ? `BEGIN ISOLATION LEVEL ${isolation}` : 'BEGIN', body);
    },
    alone: (body) => transact('BEGIN ISOLATION LEVEL READ COMMITTED', body),
    async execute(tx, sql, values) {
      const { rows, rowCount } = await tx.query(sql, [...values]);
      return { rows, affected: rowCount ?? 0 };
    },
  };
  return sqlParticipant(database, others);
}

async function inTransaction<Result>(
  { pool, begin, timeoutMs }: { pool: Pool; begin: string; timeoutMs: number },
  body: (client: PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const lose = (error: Error): void => void (broken ??= error);
  const giveUp = (error: Error): never => {
    lose(error);
    throw error;
  };
  client.on('error', lose);
  try {
    // Answered or not, it may have begun: the pool must not hand it out again.
    await client.query(begin).catch(giveUp);
    let result: Result;
    try {
      result = await body(client);
    } catch (error) {
      await answerInTime({ what: 'ROLLBACK', asked: client.query('ROLLBACK'), timeoutMs }).catch(
        lose,
      );
      throw error;
    }
    const commit = answerInTime({ what: 'COMMIT', asked: client.query('COMMIT'), timeoutMs });
    const { command } = await commit.catch(giveUp); // its state is not known
    // PostgreSQL answers COMMIT so, without an error, when an earlier one was swallowed.
    if (command === 'ROLLBACK')
      throw new Error(
        'PostgreSQL rolled the transaction back: a statement failed, and its error was swallowed. Let the error through.',
      );
    return result;
  } finally {
    client.off('error', lose);
    client.release(broken);
  }
}
