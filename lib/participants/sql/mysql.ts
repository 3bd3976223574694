import { idFromBytes, idToBytes } from '../common/binary-id.js';
import { type Dialect, isForgotten } from './dialect.js';
import { faultByCode } from './sql-error.js';

// Not UNIX_TIMESTAMP(): it goes through the time zone of the session, which has an hour twice a year twice.
const NOW = `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)`;
/** A number in MySQL, and in MariaDB until it became a word (OFF, ON, NO_LOCK …), each of which is 0 as a number. */
const READ_ONLY = `(CAST(@@global.read_only AS CHAR) NOT IN ('0', 'OFF'))`;
/** Binary columns: a text key would be compared by a collation, or cut to its length without a word. */
const ENGINE = 'ENGINE = InnoDB';
const NAME = 'VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL';

/** MySQL 8.0 or MariaDB 10.6, or later, for SKIP LOCKED. */
export const mysql: Dialect = {
  name: 'mysql',
  findHome: 'SELECT DATABASE() AS home',
  countTables: `SELECT COUNT(*) AS present FROM information_schema.tables WHERE table_schema = ?
    AND table_name IN ('rivulet_tx', 'rivulet_outbox', 'rivulet_inbox', 'rivulet_meta')`,
  facts: `SELECT ${READ_ONLY} AS readonly, NULL AS server`,
  now: NOW,
  fromNothing: ' FROM DUAL',
  verdictColumn: 'v',
  locksRows: true,
  // A deadlock ends the transaction on the server, DDL commits it: what follows commits statement by statement.
  guard: { set: 'SAVEPOINT rivulet', check: 'RELEASE SAVEPOINT rivulet' },

  quote: (name) => `\`${name.replaceAll('`', '``')}\``,
  createTables: ({ tx, outbox, inbox, meta }) => [
    `CREATE TABLE IF NOT EXISTS ${tx} (id BINARY(16) NOT NULL PRIMARY KEY, v CHAR(1) CHARACTER SET ascii NOT NULL) ${ENGINE}`,
    `CREATE TABLE IF NOT EXISTS ${outbox} (id BINARY(16) NOT NULL PRIMARY KEY, bytes LONGBLOB NOT NULL) ${ENGINE}`,
    `CREATE TABLE IF NOT EXISTS ${inbox} (id BINARY(32) NOT NULL PRIMARY KEY, at BIGINT NOT NULL, KEY rivulet_inbox_at (at)) ${ENGINE}`,
    `CREATE TABLE IF NOT EXISTS ${meta} (name ${NAME} PRIMARY KEY, value ${NAME}) ${ENGINE}`,
  ],

  idPlaceholder: '?',
  toId: idToBytes,
  fromId: idFromBytes,

  insertMeta: (meta) => `INSERT IGNORE INTO ${meta} (name, value) VALUES (?, ?)`,
  raiseMeta: (meta) =>
    `INSERT INTO ${meta} (name, value) VALUES (?, ?)
      ON DUPLICATE KEY UPDATE value = GREATEST(value, VALUES(value))`,

  // Waits in whole seconds, and by a setting of the session. An administrator can write to a replica: refuse it here.
  async insertRollback(execute, { tables, id, beganAt }) {
    const { rows } = await execute('SELECT @@innodb_lock_wait_timeout AS seconds');
    await execute('SET innodb_lock_wait_timeout = 1');
    try {
      await execute(
        `INSERT INTO ${tables.tx} (id, v) SELECT ?, 'R' FROM DUAL
          WHERE NOT ${READ_ONLY} AND NOT ${isForgotten(tables.meta)}`,
        [id, beganAt],
      );
    } catch (error) {
      // Never by the number of changed rows, which counts found ones, and never INSERT IGNORE for a key.
      if (mysql.faultOf(error) !== 'duplicate') throw error;
    } finally {
      await execute(`SET innodb_lock_wait_timeout = ${Number(rows[0]!['seconds'])}`);
    }
  },

  // Waits for a concurrent duplicate as long as the server's innodb_lock_wait_timeout says.
  async insertInbox(execute, { inbox, id }) {
    try {
      await execute(`INSERT INTO ${inbox} (id, at) VALUES (?, ${NOW})`, [id]);
      return true;
    } catch (error) {
      if (mysql.faultOf(error) === 'duplicate') return false;
      throw error;
    }
  },

  deleteSome: ({ from, where, limit }) => `DELETE FROM ${from} WHERE ${where} LIMIT ${limit}`,

  faultOf: (error) =>
    faultByCode(error, {
      duplicate: ['1062'],
      locked: ['1205'],
      collided: ['1213', '1020'], // deadlock; MariaDB: changed since the snapshot
      ended: ['1305'], // no such savepoint
    }),
};
