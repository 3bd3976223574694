import { WrongDatabaseError } from '../../core/transaction/participant-errors.js';
import type { Dialect, Execute, Tables } from './dialect.js';
import { mysql } from './mysql.js';
import { postgres } from './postgres.js';
import { sqlite } from './sqlite.js';
import type { DialectName, SqlDatabase, SqlValue } from './sql-database.js';

export const DIALECTS: Record<DialectName, Dialect> = { postgres, mysql, sqlite };

/** Our tables in one database, and how to get at them. */
export class Site<Tx = unknown> {
  readonly participant: string;
  readonly dialect: Dialect;
  private readonly database: SqlDatabase<Tx>;
  private home: string | undefined;
  private found: Tables | undefined;

  constructor(options: {
    participant: string;
    database: SqlDatabase<Tx>;
    schema: string | undefined;
  }) {
    this.participant = options.participant;
    this.database = options.database;
    this.dialect = DIALECTS[options.database.dialect];
    this.home = options.schema;
  }

  /** A transaction of its own at READ COMMITTED. */
  alone<Result>(body: (execute: Execute, tables: Tables) => Promise<Result>): Promise<Result> {
    return this.database.alone(async (tx) => {
      const execute = this.within(tx);
      return body(execute, this.found ?? (await this.find(execute)));
    });
  }

  /** Statements of somebody's transaction. */
  within(tx: Tx): Execute {
    const { database, dialect } = this;
    return (sql, values = []) =>
      database.execute(tx, dialect.name === 'postgres' ? numbered(sql) : sql, values);
  }

  /**
   * Where the tables are, asked once and on a connection of its own. From then on each statement names the schema: a
   * `search_path` or `USE` that a transaction changes must not lead its marker where no checker looks.
   */
  async tables(): Promise<Tables> {
    return this.found ?? this.alone(async (_, tables) => tables);
  }

  /** How many of the four tables are there. */
  async present(execute: Execute): Promise<number> {
    const { rows } = await execute(this.dialect.countTables, [this.home!]);
    return Number(rows[0]!['present']);
  }

  value(id: string): SqlValue {
    return this.dialect.toId(id);
  }

  private async find(execute: Execute): Promise<Tables> {
    const { rows } = this.home ? { rows: [] } : await execute(this.dialect.findHome);
    const home = this.home ?? rows[0]?.['home'];
    if (typeof home !== 'string')
      throw new WrongDatabaseError(
        this.participant,
        'has no schema to keep its tables in: the connection names none. Pass the option "schema".',
      );
    this.home = home;
    this.found = tablesIn(this.dialect, home);
    return this.found;
  }
}

export function tablesIn(dialect: Dialect, schema?: string): Tables {
  const named = (table: string): string =>
    (schema === undefined ? '' : `${dialect.quote(schema)}.`) + dialect.quote(table);
  return {
    tx: named('rivulet_tx'),
    outbox: named('rivulet_outbox'),
    inbox: named('rivulet_inbox'),
    meta: named('rivulet_meta'),
  };
}

/** PostgreSQL's placeholders. */
function numbered(sql: string): string {
  let n = 0;
  return sql.replaceAll('?', () => `$${++n}`);
}
