import { createPool, type Pool, type PoolConnection, type RowDataPacket } from 'mysql2/promise';
import { mysql2Participant } from '../../lib/participants/mysql2.js';
import type { MysqlKind } from '../helpers/mysql.js';
import { describeWith } from '../helpers/servers.js';
import type { ParticipantHarness } from './harness.js';
import { openMysql } from './mysql-harness.js';
import { describeParticipant } from './participant.contract.js';

async function open(kind: MysqlKind): Promise<ParticipantHarness<PoolConnection>> {
  const { database, shared } = await openMysql(kind);
  const pools: Pool[] = [];
  return {
    ...shared,
    async open(options) {
      const pool = createPool(database.url);
      pools.push(pool);
      return mysql2Participant(pool, options);
    },
    write: async (tx, order) => void (await tx.query('INSERT INTO orders VALUES (?)', [order])),
    read: (tx) => tx.query('SELECT * FROM orders'),
    isolation: (isolation) => ({ isolation }),
    async kill(tx) {
      const [[row]] = await tx.query<RowDataPacket[]>('SELECT CONNECTION_ID() AS id');
      await database.query('KILL ?', [row!['id']]);
    },
    swallow: async (tx) =>
      void (await tx.query('CREATE TABLE IF NOT EXISTS made_meanwhile (a INT)')),
    async close() {
      await Promise.all(pools.map((pool) => pool.end()));
      await database.drop();
    },
  };
}

const can = { isolation: true, writersMeet: true, kill: true, swallow: true };

for (const kind of ['mariadb', 'mysql'] as const)
  describeWith(kind)(`mysql2 on ${kind}`, () => {
    describeParticipant(() => open(kind), can);
  });
