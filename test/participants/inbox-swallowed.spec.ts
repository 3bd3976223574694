import { setTimeout as nextTimer } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { createPool, type PoolConnection } from 'mysql2/promise';
import { Pool } from 'pg';
import { drizzleParticipant } from '../../lib/participants/drizzle.js';
import { mysql2Participant } from '../../lib/participants/mysql2.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { TestBed } from '../../lib/testing/test-bed.js';
import { describeWith } from '../helpers/servers.js';
import { openMysql } from './mysql-harness.js';
import { openPostgres } from './postgres-harness.js';

type Write = (tx: never) => Promise<unknown>;

/** A message to a handler that works in a transaction of its own, and what became of it. */
async function handled(
  participant: { readonly name: string },
  work: (write: (how: Write) => Promise<unknown>, bed: TestBed) => Promise<unknown>,
): Promise<{ state: string; sent: number }> {
  const bed = await TestBed.open({
    clock: new ManualClock(Date.now()), // the database has a say about how long a transaction takes
    settings: { transactions: { participants: [participant as never] } },
  });
  try {
    const { transactions } = bed.rivulet;
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      idempotent: { participant: participant.name },
      retry: { maxAttempts: 1 },
      handler: () => work((how) => how(transactions.current<never>()!), bed),
    });
    const settled = new Promise<string>((resolve) => {
      for (const state of ['acked', 'dead-lettered'] as const)
        bed.rivulet.events.on(state, () => resolve(state));
    });
    await bed.publish('orders', 'an order');
    const state = await inRealTime(bed, settled);
    await bed.advance(1);
    return { state, sent: (await bed.sent('bills')).length };
  } finally {
    await bed.close();
  }
}

/** A database takes the time that it takes: meanwhile the clock of the bed goes no faster than the real one. */
async function inRealTime<R>(bed: TestBed, work: Promise<R>): Promise<R> {
  let isOver = false;
  const over = work.finally(() => void (isOver = true));
  for (let last = Date.now(); !isOver;) {
    await nextTimer(1);
    const now = Date.now();
    // A machine that stands still is no handler that takes too long.
    await bed.advance(Math.min(Math.max(0, now - last), 20));
    last = now;
  }
  return over;
}

describeWith('postgres')('an idempotent handler on PostgreSQL', () => {
  type Tx = { execute(query: ReturnType<typeof sql>): Promise<unknown> };
  const write: Write = (tx: Tx) => tx.execute(sql`INSERT INTO orders VALUES ('a')`);
  const fail: Write = (tx: Tx) => tx.execute(sql`SELECT 1 / 0`).catch(() => undefined);

  it.each([
    ['swallowed an error', true, 'dead-lettered', []],
    ['swallowed none', false, 'acked', ['a']],
  ])('fares as its transaction does: it %s', async (_, swallows, state, orders) => {
    const { database, shared } = await openPostgres();
    const pool = new Pool({ connectionString: database.url });
    try {
      // A client that takes any answer to COMMIT, as most do.
      const participant = drizzleParticipant(drizzle(pool), { sql });
      const outcome = await handled(participant, async (does) => {
        await does(write);
        if (swallows) await does(fail);
      });
      expect(outcome.state).toBe(state);
      expect(await shared.orders()).toEqual(orders);
    } finally {
      await pool.end();
      await database.drop();
    }
  });
});

describeWith('mariadb')('an idempotent handler on MariaDB', () => {
  const write: Write = (tx: PoolConnection) => tx.query(`INSERT INTO orders VALUES ('a')`);
  const end: Write = (tx: PoolConnection) => tx.query('CREATE TABLE made_meanwhile (a INT)');

  it.each([
    ['has ended, and it sent nothing', true, false, { state: 'dead-lettered', sent: 0 }],
    ['has ended, and it sent a message', true, true, { state: 'dead-lettered', sent: 0 }],
    ['goes on, and it sent a message', false, true, { state: 'acked', sent: 1 }],
    ['goes on, and it sent nothing', false, false, { state: 'acked', sent: 0 }],
  ])('fares as its transaction does: it %s', async (_, ends, sends, expected) => {
    const { database } = await openMysql('mariadb');
    const pool = createPool(database.url);
    try {
      const outcome = await handled(mysql2Participant(pool), async (does, bed) => {
        await does(write);
        if (ends) await does(end);
        if (sends) await bed.publish('bills', 'a bill');
      });
      expect(outcome).toEqual(expected);
    } finally {
      await pool.end();
      await database.drop();
    }
  });
});
