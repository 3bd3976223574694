import { Pool, type PoolClient } from 'pg';
import {
  prismaParticipant,
  type PrismaClientLike,
  type PrismaTransactionLike,
} from '../../lib/participants/prisma.js';
import { describeWith } from '../helpers/servers.js';
import type { Isolation, ParticipantHarness } from './harness.js';
import { describeParticipant } from './participant.contract.js';
import { openPostgres } from './postgres-harness.js';

const LEVELS = {
  'read committed': 'ReadCommitted',
  'repeatable read': 'RepeatableRead',
  serializable: 'Serializable',
} as const;

/**
 * What the adapter uses of a generated client, on a real PostgreSQL. Prisma itself is 300 MB and its `generate` downloads
 * an engine, so it is not among what `npm ci` installs; docs/participants.md says how the real one was tried.
 */
function shapedLikePrisma(pool: Pool): PrismaClientLike<PrismaTransactionLike> {
  const handle = (client: PoolClient): PrismaTransactionLike => ({
    $queryRawUnsafe: async (sql, ...values) => (await client.query(sql, values)).rows,
    $executeRawUnsafe: async (sql, ...values) => (await client.query(sql, values)).rowCount ?? 0,
  });
  const levelOf = (isolation?: string): string => {
    const level = Object.entries(LEVELS).find(([, name]) => name === isolation)?.[0];
    return level ? ` ISOLATION LEVEL ${level}` : '';
  };
  return {
    async $transaction(body, options = {}) {
      const client = await pool.connect();
      try {
        await client.query(`BEGIN${levelOf(options.isolationLevel)}`);
        const result = await body(handle(client));
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      } finally {
        client.release();
      }
    },
  };
}

async function open(): Promise<ParticipantHarness<PrismaTransactionLike>> {
  const { database, shared } = await openPostgres();
  const pools: Pool[] = [];
  const clients = new Map<object, PrismaClientLike<PrismaTransactionLike>>();
  return {
    ...shared,
    async open(options) {
      const pool = new Pool({ connectionString: database.url });
      pool.on('error', () => undefined); // the database is dropped while connections end
      pools.push(pool);
      const client = shapedLikePrisma(pool);
      const participant = prismaParticipant(client, options);
      clients.set(participant, client);
      return participant;
    },
    foreign: (participant, body) => clients.get(participant)!.$transaction(body),
    write: async (tx, order) =>
      void (await tx.$executeRawUnsafe('INSERT INTO orders VALUES ($1)', order)),
    read: async (tx) => tx.$queryRawUnsafe('SELECT * FROM orders'),
    isolation: (level: Isolation) => ({ isolationLevel: LEVELS[level] }),
    async close() {
      await Promise.all(pools.map((pool) => pool.end()));
      await database.drop();
    },
  };
}

describeWith('postgres')('a client shaped like Prisma', () => {
  describeParticipant(open, { isolation: true, writersMeet: true, foreign: true });
});
