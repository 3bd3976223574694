import { postgresDatabase, type TestDatabase } from '../helpers/postgres.js';
import type { ParticipantHarness } from './harness.js';

type Shared = Pick<ParticipantHarness, 'dialect' | 'orders' | 'empty'>;

/** A fresh database with the table of the business, and what does not depend on the client. */
export async function openPostgres(): Promise<{ database: TestDatabase; shared: Shared }> {
  const database = await postgresDatabase();
  await database.query('CREATE TABLE orders (id text PRIMARY KEY)');
  return {
    database,
    shared: {
      dialect: 'postgres',
      async orders() {
        const rows = await database.query('SELECT id FROM orders ORDER BY id');
        return rows.map(({ id }) => String(id));
      },
      empty: async () =>
        void (await database.query(
          `TRUNCATE orders, rivulet_tx, rivulet_outbox, rivulet_inbox;
          DELETE FROM rivulet_meta WHERE name <> 'identity'`,
        )),
    },
  };
}
