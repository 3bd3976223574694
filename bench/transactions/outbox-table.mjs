import { setTimeout as sleep } from 'node:timers/promises';
import { textAt } from '../bodies.mjs';
import { add, connect } from '../raw.mjs';
import { insertOrder, makeTables, openPool } from './database.mjs';
import { measureTransactions } from './measure.mjs';

const AT_ONCE = 100;

/**
 * What a team writes today: the message is a row of the same transaction, and a relay polls for rows, publishes them to
 * Redis and deletes them. It looks again at once while it finds something, and else after `pollMs`.
 */
export default async function outboxTable(job) {
  const pool = openPool(job);
  const redis = connect();
  await makeTables(pool);
  let listen;
  const place = (i) =>
    inTransaction(pool, async (client) => {
      await insertOrder(client, i, textAt(i));
      await client.query('INSERT INTO outbox (number, body) VALUES ($1, $2)', [i, textAt(i)]);
    });
  const relay = async () => {
    for (;;) {
      const published = await inTransaction(pool, (client) => publishSome(client, redis));
      for (const { number } of published) listen(Number(number));
      if (published.length === 0) await sleep(job.pollMs);
    }
  };
  return Promise.race([
    measureTransactions(job, place, { whenVisible: (told) => (listen = told) }),
    relay(),
  ]);
}

async function publishSome(client, redis) {
  const { rows } = await client.query(
    'SELECT id, number, body FROM outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED',
    [AT_ONCE],
  );
  if (rows.length === 0) return rows;
  await Promise.all(rows.map(({ number, body }) => add(redis, Number(number), body)));
  await client.query('DELETE FROM outbox WHERE id = ANY($1)', [rows.map(({ id }) => id)]);
  return rows;
}

async function inTransaction(pool, body) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await body(client);
    await client.query('COMMIT');
    return result;
  } finally {
    client.release();
  }
}
