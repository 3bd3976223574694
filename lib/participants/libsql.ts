import type { Client, Transaction } from '@libsql/client';
import type { TransactionParticipant } from '../core/transaction/participant.js';
import { OneWriter, type WriteSteps } from './sql/one-writer.js';
import { sqlParticipant, type SqlParticipantOptions } from './sql/sql-participant.js';

export interface LibsqlParticipantOptions extends Pick<SqlParticipantOptions, 'name'> {
  /** How long to wait for the writer of another process. Default 5 000. */
  busyTimeoutMs?: number;
}

/**
 * SQLite through a client of `@libsql/client`: a file, or a server. Transactions of the participant take turns, since SQLite
 * has one writer.
 */
export function libsqlParticipant(
  client: Client,
  { busyTimeoutMs = 5_000, ...options }: LibsqlParticipantOptions = {},
): TransactionParticipant<Transaction, never> {
  const steps = client.protocol === 'file' ? fileSteps(client) : remoteSteps(client);
  const writer = new OneWriter(steps, busyTimeoutMs);
  return sqlParticipant<Transaction, never>(
    {
      dialect: 'sqlite',
      run: (body) => writer.write(body),
      alone: (body) => writer.write(body),
      async execute(tx, sql, values) {
        const { rows, rowsAffected } = await tx.execute({ sql, args: [...values] });
        return { rows: [...rows], affected: rowsAffected };
      },
    },
    options,
  );
}

const remoteSteps = (client: Client): WriteSteps<Transaction> => ({
  begin: () => client.transaction('write'),
  commit: (tx) => tx.commit(),
  end: (tx) => tx.close(),
});

/**
 * In a file, a BEGIN or COMMIT that fails with SQLITE_BUSY as a prepared statement stays under way in libSQL until it is
 * garbage, and every COMMIT of that connection fails meanwhile ("SQL statements in progress"). `executeMultiple` does not
 * prepare.
 */
const fileSteps = (client: Client): WriteSteps<Transaction> => ({
  async begin() {
    const tx = await client.transaction('deferred'); // takes no lock, so it cannot fail
    try {
      await tx.executeMultiple('COMMIT; BEGIN IMMEDIATE');
      return tx;
    } catch (error) {
      tx.close();
      throw error;
    }
  },
  commit: (tx) => tx.executeMultiple('COMMIT'),
  end: (tx) => tx.close(),
});
