import { Pool, type PoolClient } from 'pg';
import { pgParticipant } from '../../lib/participants/pg.js';
import { describeWith } from '../helpers/servers.js';
import type { ParticipantHarness } from './harness.js';
import { describeParticipant } from './participant.contract.js';
import { openPostgres } from './postgres-harness.js';

async function open(): Promise<ParticipantHarness<PoolClient>> {
  const { database, shared } = await openPostgres();
  const pools: Pool[] = [];
  return {
    ...shared,
    async open(options) {
      const pool = new Pool({ connectionString: database.url });
      pools.push(pool);
      return pgParticipant(pool, options);
    },
    write: async (tx, order) => void (await tx.query('INSERT INTO orders VALUES ($1)', [order])),
    read: (tx) => tx.query('SELECT * FROM orders'),
    isolation: (isolation) => ({ isolation }),
    async kill(tx) {
      const { rows } = await tx.query('SELECT pg_backend_pid() AS pid');
      await database.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
    },
    swallow: (tx) =>
      tx.query('INSERT INTO nowhere VALUES (1)').then(
        () => {},
        () => {},
      ),
    async close() {
      await Promise.all(pools.map((pool) => pool.end()));
      await database.drop();
    },
  };
}

describeWith('postgres')('pg', () => {
  describeParticipant(open, { isolation: true, writersMeet: true, kill: true, swallow: true });
});
