import { idFromBytes, idToBytes } from '../common/binary-id.js';
import { type Dialect, isForgotten } from './dialect.js';
import { codesOf } from './sql-error.js';

const NOW = `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`;

export const sqlite: Dialect = {
  name: 'sqlite',
  findHome: `SELECT 'main' AS home`,
  countTables: `SELECT count(*) AS present FROM sqlite_master WHERE type = 'table' AND 'main' = ?
    AND name IN ('rivulet_tx', 'rivulet_outbox', 'rivulet_inbox', 'rivulet_meta')`,
  facts: 'SELECT 0 AS readonly, NULL AS server',
  now: NOW,
  fromNothing: '',
  verdictColumn: 'v',
  locksRows: false,

  quote: (name) => `"${name.replaceAll('"', '""')}"`,
  createTables: ({ tx, outbox, inbox, meta }) => [
    `CREATE TABLE IF NOT EXISTS ${tx} (id BLOB PRIMARY KEY, v TEXT NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS ${outbox} (id BLOB PRIMARY KEY, bytes BLOB NOT NULL, held_until INTEGER NOT NULL DEFAULT 0)`,
    `CREATE TABLE IF NOT EXISTS ${inbox} (id BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID`,
    `CREATE INDEX IF NOT EXISTS rivulet_inbox_at ON rivulet_inbox (at)`,
    `CREATE TABLE IF NOT EXISTS ${meta} (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
  ],

  idPlaceholder: '?',
  toId: idToBytes,
  fromId: idFromBytes,

  insertMeta: (meta) => `INSERT INTO ${meta} (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`,
  raiseMeta: (meta) =>
    `INSERT INTO ${meta} (name, value) VALUES (?, ?)
      ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)`,

  // Nobody to wait for: whoever writes holds the whole database.
  async insertRollback(execute, { tables, id, beganAt }) {
    await execute(
      `INSERT INTO ${tables.tx} (id, v) SELECT ?, 'R' WHERE NOT ${isForgotten(tables.meta)}
        ON CONFLICT DO NOTHING`,
      [id, beganAt],
    );
  },
  async insertInbox(execute, { inbox, id }) {
    const { affected } = await execute(
      `INSERT INTO ${inbox} (id, at) VALUES (?, ${NOW}) ON CONFLICT DO NOTHING`,
      [id],
    );
    return affected === 1;
  },

  deleteSome: ({ from, where, limit }) =>
    `DELETE FROM ${from} WHERE id IN (SELECT id FROM ${from} WHERE ${where} LIMIT ${limit})`,

  faultOf(error) {
    const codes = [...codesOf(error)];
    if (codes.some((code) => /^SQLITE_CONSTRAINT_(PRIMARYKEY|UNIQUE)$/.test(code)))
      return 'duplicate';
    if (codes.some((code) => code.startsWith('SQLITE_BUSY'))) return 'locked';
    return codes.includes('TRANSACTION_CLOSED') ? 'ended' : 'other'; // libSQL's own word for it
  },
};
