import { mysqlDatabase, type MysqlKind } from '../helpers/mysql.js';
import type { TestDatabase } from '../helpers/postgres.js';
import type { ParticipantHarness } from './harness.js';

type Shared = Pick<ParticipantHarness, 'dialect' | 'orders' | 'empty'>;

/** A fresh database with the table of the business, and what does not depend on the client. */
export async function openMysql(
  kind: MysqlKind,
): Promise<{ database: TestDatabase; shared: Shared }> {
  const database = await mysqlDatabase(kind);
  await database.query('CREATE TABLE orders (id VARCHAR(60) PRIMARY KEY)');
  return {
    database,
    shared: {
      dialect: 'mysql',
      async orders() {
        const rows = await database.query('SELECT id FROM orders ORDER BY id');
        return rows.map(({ id }) => String(id));
      },
      empty: async () =>
        void (await database.query(
          `DELETE FROM orders; DELETE FROM rivulet_tx; DELETE FROM rivulet_outbox; DELETE FROM rivulet_inbox;
          DELETE FROM rivulet_meta WHERE name <> 'identity'`,
        )),
    },
  };
}
