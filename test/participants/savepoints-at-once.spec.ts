import { Pool } from 'pg';
import { pgParticipant } from '../../lib/participants/pg.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { TestBed } from '../../lib/testing/test-bed.js';
import { describeWith } from '../helpers/servers.js';
import { openPostgres } from './postgres-harness.js';

type Work = (bed: TestBed, nested: (id: string) => Promise<unknown>) => Promise<unknown>;

/** The rows that are there when the transaction and all of its savepoints have ended. */
async function rowsAfter(work: Work): Promise<unknown> {
  const { database, shared } = await openPostgres();
  const pool = new Pool({ connectionString: database.url });
  const clock = new ManualClock(Date.now()); // the database has a say about how long a transaction takes
  const settings = { transactions: { participants: [pgParticipant(pool)] } };
  const bed = await TestBed.open({ clock, settings });
  const { transactions } = bed.rivulet;
  const calls: Promise<unknown>[] = [];
  const nested = (id: string): Promise<unknown> => {
    const call = transactions.run<void, Pool>(
      async (tx) => {
        await tx.query('INSERT INTO orders VALUES ($1)', [id]);
        if (id === 'fails') throw new Error('no stock');
        await tx.query('INSERT INTO orders VALUES ($1)', [`${id}, too`]);
        await bed.publish('orders', id);
      },
      { propagation: 'nested' },
    );
    calls.push(call);
    return call;
  };
  try {
    await Promise.allSettled([transactions.run(() => work(bed, nested))]);
    await Promise.allSettled(calls);
    return await shared.orders();
  } finally {
    await bed.close();
    await pool.end();
    await database.drop();
  }
}

describeWith('postgres')('savepoints that are called at once', () => {
  const all: Work = (_, nested) => Promise.all(['fails', 'second', 'third'].map(nested));

  it('leave nothing when one fails the transaction', async () => {
    expect(await rowsAfter(all)).toEqual([]);
  });

  it('leave nothing when one fails the savepoint around them', async () => {
    const rows = await rowsAfter(async (bed, nested) => {
      const around = bed.rivulet.transactions.run(() => all(bed, nested), {
        propagation: 'nested',
      });
      await around.catch(() => undefined); // the transaction goes on
    });
    expect(rows).toEqual([]);
  });

  it('leave nothing of one that runs on when nobody awaits it any more', async () => {
    const rows = await rowsAfter((_, nested) =>
      Promise.all(['fails', 'second'].map(nested)).catch(() => undefined),
    );
    expect(rows).toEqual([]);
  });
});
