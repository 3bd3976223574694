// The database of the transactions, and its tables. `npm run bench -- --transactions` starts a server.
import pg from 'pg';

export const openPool = ({ inFlight }) =>
  new pg.Pool({ connectionString: process.env.BENCH_POSTGRES_URL, max: inFlight + 2 });

/** Empty, as before the first transaction. */
export async function makeTables(pool) {
  await pool.query(`
    DROP TABLE IF EXISTS orders, outbox, rivulet_tx, rivulet_outbox, rivulet_inbox, rivulet_meta;
    CREATE TABLE orders (id bigint PRIMARY KEY, body text NOT NULL);
    CREATE TABLE outbox (id bigserial PRIMARY KEY, number bigint NOT NULL, body text NOT NULL)`);
}

/** What every transaction does for the business. */
export const insertOrder = (client, i, text) =>
  client.query('INSERT INTO orders VALUES ($1, $2)', [i, text]);
