import type { Client, Transaction } from '@libsql/client';
import { InvalidOptionsError } from '../core/message/errors.js';
import { integerProblem } from '../core/message/options.js';
import type { TransactionParticipant } from '../core/transaction/participant.js';
import { checkGiven, type ClientWanted } from './common/given.js';
import { OneWriter, type WriteSteps } from './sql/one-writer.js';
import { checkRunOptions } from './sql/run-options.js';
import { sqlParticipant, type SqlParticipantOptions } from './sql/sql-participant.js';

export interface LibsqlParticipantOptions extends Pick<SqlParticipantOptions, 'name'> {
  /** How long to wait for the writer of another process. Default 5 000. */
  busyTimeoutMs?: number;
}

const CLIENT: ClientWanted = {
  what: "a client of @libsql/client: createClient({ url: 'file:shop.db' })",
  methods: ['transaction', 'execute'],
};

/**
 * SQLite through a client of `@libsql/client`: a file, or a server. Transactions of the participant take turns, since SQLite
 * has one writer.
 *
 * @throws InvalidOptionsError for anything else, and for options that nobody knows.
 */
export function libsqlParticipant(
  client: Client,
  options: LibsqlParticipantOptions = {},
): TransactionParticipant<Transaction, never> {
  checkGiven('libsqlParticipant', { client, options }, CLIENT);
  const { busyTimeoutMs = 5_000, ...others } = options;
  const problem = integerProblem('busyTimeoutMs', busyTimeoutMs, { min: 0, max: 3_600_000 });
  if (problem !== undefined) throw new InvalidOptionsError('libsqlParticipant', [problem]);
  const steps = client.protocol === 'file' ? fileSteps(client) : remoteSteps(client);
  const writer = new OneWriter(steps, busyTimeoutMs);
  return sqlParticipant<Transaction, never>(
    {
      dialect: 'sqlite',
      run(body, options) {
        checkRunOptions(options, []);
        return writer.write(body);
      },
      alone: (body) => writer.write(body),
      async execute(tx, sql, values) {
        const { rows, rowsAffected } = await tx.execute({ sql, args: [...values] });
        return { rows: [...rows], affected: rowsAffected };
      },
    },
    others,
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
