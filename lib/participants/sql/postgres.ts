import { type Dialect, isForgotten } from './dialect.js';
import { faultByCode } from './sql-error.js';

const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/** PostgreSQL 10 or later. */
export const postgres: Dialect = {
  name: 'postgres',
  findHome: 'SELECT current_schema() AS home',
  countTables: `SELECT count(*)::int AS present FROM pg_catalog.pg_tables WHERE schemaname = ?
    AND tablename IN ('rivulet_tx', 'rivulet_outbox', 'rivulet_inbox', 'rivulet_meta')`,
  // A dump that is restored elsewhere has our row, too, but another server around it.
  facts: `SELECT (pg_is_in_recovery() OR current_setting('transaction_read_only')::bool)::int AS readonly,
    CASE WHEN has_function_privilege('pg_catalog.pg_control_system()', 'execute')
      THEN (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) END AS server`,
  now: NOW,
  fromNothing: '',
  verdictColumn: 'v::text AS v',
  locksRows: true,
  lockSchema: `SELECT pg_advisory_xact_lock(hashtext('nestjs-rivulet')) IS NULL AS locked`,

  quote: (name) => `"${name.replaceAll('"', '""')}"`,
  createTables: ({ tx, outbox, inbox, meta }) => [
    `CREATE TABLE IF NOT EXISTS ${tx} (id uuid PRIMARY KEY, v "char" NOT NULL CHECK (v IN ('C', 'R')))`,
    `CREATE TABLE IF NOT EXISTS ${outbox} (id uuid PRIMARY KEY, bytes bytea NOT NULL)`,
    `CREATE TABLE IF NOT EXISTS ${inbox} (id bytea PRIMARY KEY, at bigint NOT NULL)`,
    // Entries lie in the table in the order of their time: a block range index costs next to nothing.
    `CREATE INDEX IF NOT EXISTS rivulet_inbox_at ON ${inbox} USING brin (at)`,
    `CREATE TABLE IF NOT EXISTS ${meta} (name text PRIMARY KEY, value text NOT NULL)`,
  ],

  idPlaceholder: '?::uuid',
  toId: (id) => id,
  fromId: String,

  insertMeta: (meta) => `INSERT INTO ${meta} (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`,
  raiseMeta: (meta) =>
    `INSERT INTO ${meta} AS m (name, value) VALUES (?, ?)
      ON CONFLICT (name) DO UPDATE SET value = greatest(m.value, excluded.value)`,

  // The setting ends with the transaction. Drawing the row from it makes it come first: what changes something is never made
  // a part of the query around it, so that it needs no MATERIALIZED, which PostgreSQL has since 12.
  async insertRollback(execute, { tables, id, beganAt, lockWaitMs }) {
    await execute(
      `WITH wait AS (SELECT set_config('lock_timeout', ?, true))
        INSERT INTO ${tables.tx} (id, v) SELECT ?::uuid, 'R' FROM wait
        WHERE NOT ${isForgotten(tables.meta)} ON CONFLICT DO NOTHING`,
      [`${lockWaitMs}ms`, id, beganAt],
    );
  },

  // Waits two seconds for a concurrent duplicate; the statements of the handler wait as long as they did before.
  async insertInbox(execute, { inbox, id }) {
    const { rows } = await execute(
      `WITH wait AS (
          SELECT current_setting('lock_timeout') AS before, set_config('lock_timeout', '2s', true))
        INSERT INTO ${inbox} (id, at) SELECT ?::bytea, ${NOW} FROM wait ON CONFLICT DO NOTHING
        RETURNING set_config('lock_timeout', (SELECT before FROM wait), true) AS entered`,
      [id],
    );
    return rows.length === 1;
  },

  deleteSome: ({ from, where, limit }) =>
    `DELETE FROM ${from} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${from} WHERE ${where} LIMIT ${limit}))`,

  faultOf: (error) =>
    faultByCode(error, {
      duplicate: ['23505'],
      locked: ['55P03'],
      collided: ['40001', '40P01'], // serialization failure, deadlock
      ended: ['25P02'],
    }),
};
