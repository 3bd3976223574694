import { createHash, randomUUID } from 'node:crypto';
import { InvalidOptionsError } from '../../core/message/errors.js';
import { checkGiven, type ClientWanted } from '../common/given.js';
import { describeValue, unknownOptions } from '../../core/message/options.js';
import type { TransactionParticipant } from '../../core/transaction/participant.js';
import { WrongDatabaseError } from '../../core/transaction/participant-errors.js';
import type { Execute } from './dialect.js';
import { INSTEAD_OF_FOREIGN } from '../common/foreign-transactions.js';
import { SqlInboxTable } from './inbox-table.js';
import { SqlOutboxTable } from './outbox-table.js';
import { DIALECTS, Site } from './site.js';
import type { SqlDatabase } from './sql-database.js';
import { codesOf } from './sql-error.js';
import { VerdictTable } from './verdict-table.js';

const DATABASE: ClientWanted = {
  what: 'a SqlDatabase: { dialect, run, alone, execute }',
  methods: ['run', 'alone', 'execute'],
  whyNot: ({ dialect }: { dialect?: unknown }) =>
    Object.hasOwn(DIALECTS, String(dialect)) ? undefined : `the dialect ${describeValue(dialect)}`,
};
const TABLES = 4;
/** MySQL's code; MariaDB prepares any statement. */
const NOT_PREPARABLE = '1295';

/** What every participant of an SQL database may be told. */
export interface SqlParticipantOptions {
  /** Which database decides, as half messages say it. Unique within an application. Default `default`. */
  name?: string;
  /**
   * Schema (MySQL: database) of the tables `rivulet_…`. The same in every process. Default: where an unqualified name
   * leads on a fresh connection. SQLite has none.
   */
  schema?: string;
}

/**
 * Makes a participant of a database client. Adapters for well-known clients are in `nestjs-rivulet/participants/…`; write
 * a `SqlDatabase` for another.
 *
 * @throws InvalidOptionsError for anything else, and for options that nobody knows.
 */
export function sqlParticipant<Tx, Options>(
  database: SqlDatabase<Tx, Options>,
  options: SqlParticipantOptions = {},
): TransactionParticipant<Tx, Options> &
  Required<Pick<TransactionParticipant<Tx>, 'nested' | 'opened'>> {
  checkGiven('sqlParticipant', { client: database, options }, DATABASE);
  checkOptions(database, options);
  const name = options.name ?? 'default';
  const site = new Site<Tx>({ participant: name, database, schema: options.schema });
  const verdicts = new VerdictTable(site);
  let savepoints = 0;

  const opened = async (tx: Tx): Promise<void> => {
    if (site.dialect.guard) await site.within(tx)(site.dialect.guard.set);
  };

  return {
    name,
    prepare: () => prepare(site),
    identity: () => identity(site),
    opened,

    async run(body, runOptions) {
      await site.tables(); // before BEGIN: within it, a second connection could be one too many for the pool
      return database.run(async (tx) => {
        await opened(tx);
        return body(tx);
      }, runOptions);
    },

    async nested(tx, body) {
      const execute = site.within(tx);
      const savepoint = `rivulet_${++savepoints}`;
      await execute(`SAVEPOINT ${savepoint}`);
      try {
        const result = await body(tx);
        await execute(`RELEASE SAVEPOINT ${savepoint}`);
        return result;
      } catch (error) {
        await execute(`ROLLBACK TO SAVEPOINT ${savepoint}`).catch((fault: Error) => {
          throw new Error(
            `Participant "${name}" could not undo a savepoint (${fault.message}): let this error through, the transaction must not be committed. What failed first is its cause.`,
            { cause: error },
          );
        });
        throw error;
      }
    },

    mark: (tx, marker) => verdicts.mark(tx, marker),
    decide: (ids, tell) => verdicts.decide(ids, tell),
    purge: (before, limit) => verdicts.purge(before, limit),
    foreign: () => (database.isForeign?.() ? INSTEAD_OF_FOREIGN : undefined),
    ...(database.within && { within: (tx, work) => database.within!(tx, work) }),
    outbox: new SqlOutboxTable(site),
    inbox: new SqlInboxTable(site),
  };
}

function checkOptions({ dialect }: SqlDatabase, options: SqlParticipantOptions): void {
  const { name, schema } = options;
  const problems = unknownOptions(options, ['name', 'schema']);
  if (name !== undefined && (typeof name !== 'string' || name === ''))
    problems.push('name must be a text that is not empty');
  if (schema !== undefined && (typeof schema !== 'string' || schema === ''))
    problems.push('schema must be a text that is not empty');
  if (schema !== undefined && dialect === 'sqlite') problems.push('SQLite has no schemas');
  if (problems.length > 0) throw new InvalidOptionsError('participant', problems);
}

/** Makes nothing where everything is there: the user of an application need not be allowed to make tables. */
async function prepare(site: Site): Promise<void> {
  await site.alone(async (execute, tables) => {
    if ((await site.present(execute)) === TABLES) return;
    if (site.dialect.lockSchema) await execute(site.dialect.lockSchema);
    for (const statement of site.dialect.createTables(tables)) await execute(statement);
  });
  await identity(site);
}

async function identity(site: Site): Promise<string> {
  const { participant, dialect } = site;
  const read = (execute: Execute, meta: string): ReturnType<Execute> =>
    execute(`SELECT value FROM ${meta} WHERE name = 'identity'`);

  return site.alone(async (execute, { meta }) => {
    const [facts] = (await execute(dialect.facts)).rows;
    if (Number(facts!['readonly']) !== 0)
      throw new WrongDatabaseError(
        participant,
        'is connected to a read-only database, a replica most likely: it cannot decide what became of a transaction. ' +
          'Connect it to the primary.',
      );
    if ((await site.present(execute)) < TABLES)
      throw new WrongDatabaseError(
        participant,
        `lacks its tables. Let it make them (createTables), or run the SQL of schema('${dialect.name}').`,
      );
    await tryGuard(site, execute);
    if ((await read(execute, meta)).rows.length === 0)
      await execute(dialect.insertMeta(meta), ['identity', randomUUID()]);
    const made = String((await read(execute, meta)).rows[0]!['value']);
    const server = facts!['server'] as string | null;
    return server === null ? made : combined(made, server);
  });
}

/** What not every client can execute is tried where it starts, and not by the first transaction. */
async function tryGuard({ participant, dialect }: Site, execute: Execute): Promise<void> {
  if (!dialect.guard) return;
  try {
    await execute(dialect.guard.set);
    await execute(dialect.guard.check);
  } catch (error) {
    if (!codesOf(error).has(NOT_PREPARABLE)) throw error;
    throw new WrongDatabaseError(
      participant,
      'has a client that prepares each statement, and MySQL does not prepare savepoints. Let it use the text protocol; ' +
        'with Prisma: new PrismaMariaDb(url, { useTextProtocol: true }).',
      { cause: error },
    );
  }
}

/** One short id of two facts, in the form of a UUID. */
function combined(made: string, server: string): string {
  const hex = createHash('sha256').update(`${made} ${server}`).digest('hex');
  return [8, 12, 16, 20, 32].map((end, i, ends) => hex.slice(ends[i - 1] ?? 0, end)).join('-');
}
