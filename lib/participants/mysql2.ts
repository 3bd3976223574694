import type { Pool, PoolConnection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import type { TransactionParticipant } from '../core/transaction/participant.js';
import { checkGiven, type ClientWanted } from './common/given.js';
import { answerInTime, type CommitTimeout, commitTimeoutOf } from './sql/commit-timeout.js';
import { isolationOf } from './sql/run-options.js';
import { sqlParticipant, type SqlParticipantOptions } from './sql/sql-participant.js';

export interface Mysql2TransactionOptions {
  /** Default: as the server is set, which is `repeatable read` unless somebody changed it. */
  isolation?: 'read committed' | 'repeatable read' | 'serializable';
}

export interface Mysql2ParticipantOptions extends SqlParticipantOptions, CommitTimeout {}

const POOL: ClientWanted = {
  what: "a pool of mysql2/promise: import { createPool } from 'mysql2/promise'",
  methods: ['getConnection', 'query'],
  whyNot: (pool) =>
    'promise' in pool ? "a pool of 'mysql2' with callbacks; hand over pool.promise()" : undefined,
};

/**
 * MySQL or MariaDB through a pool of `mysql2/promise`. `tx` is the connection on which the transaction runs.
 *
 * @throws InvalidOptionsError for anything else, and for options that nobody knows.
 */
export function mysql2Participant(
  pool: Pool,
  options: Mysql2ParticipantOptions = {},
): TransactionParticipant<PoolConnection, Mysql2TransactionOptions> {
  checkGiven('mysql2Participant', { client: pool, options }, POOL);
  const { commitTimeoutMs, ...others } = options;
  const timeoutMs = commitTimeoutOf({ commitTimeoutMs });
  return sqlParticipant<PoolConnection, Mysql2TransactionOptions>(
    {
      dialect: 'mysql',
      run: (body, options) =>
        inTransaction({ pool, isolation: isolationOf(options), timeoutMs }, body),
      alone: (body) => inTransaction({ pool, isolation: 'read committed', timeoutMs }, body),
      async execute(tx, sql, values) {
        const [result] = await tx.query<RowDataPacket[] | ResultSetHeader>(sql, [...values]);
        return Array.isArray(result)
          ? { rows: result, affected: 0 }
          : { rows: [], affected: result.affectedRows };
      },
    },
    others,
  );
}

async function inTransaction<Result>(
  { pool, isolation, timeoutMs }: Mysql2TransactionOptions & { pool: Pool; timeoutMs: number },
  body: (connection: PoolConnection) => Promise<Result>,
): Promise<Result> {
  const connection = await pool.getConnection();
  let isBroken = false;
  const lose = (): void => void (isBroken = true);
  const giveUp = (error: unknown): never => {
    lose();
    throw error;
  };
  connection.on('error', lose); // a connection that is killed would end the process otherwise
  try {
    // Answered or not, it may have begun: the pool must not hand it out again.
    await begin(connection, isolation).catch(giveUp);
    let result: Result;
    try {
      result = await body(connection);
    } catch (error) {
      await answerInTime({
        what: 'ROLLBACK',
        asked: connection.query('ROLLBACK'),
        timeoutMs,
      }).catch(lose);
      throw error;
    }
    await answerInTime({ what: 'COMMIT', asked: connection.query('COMMIT'), timeoutMs }).catch(
      giveUp, // its state is not known
    );
    return result;
  } finally {
    connection.off('error', lose);
    if (isBroken) connection.destroy();
    else connection.release();
  }
}

async function begin(
  connection: PoolConnection,
  isolation: Mysql2TransactionOptions['isolation'],
): Promise<void> {
  if (isolation) await connection.query(`SET TRANSACTION ISOLATION LEVEL ${isolation}`); // the next one only
  await connection.query('START TRANSACTION');
}
