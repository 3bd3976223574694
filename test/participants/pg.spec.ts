import { type AddressInfo, createServer } from 'node:net';
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

it('outlives a connection that is ended in one breath with its greeting', async () => {
  // As the server says it when a back end is killed as soon as it is there; only the bytes decide, so they come from here.
  const told = (type: string, body: Buffer): Buffer => {
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeUInt32BE(4 + body.length, 1);
    return Buffer.concat([head, body]);
  };
  const killed = 'SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0';
  const server = createServer((socket) =>
    socket.once('data', () =>
      socket.end(
        Buffer.concat([
          told('R', Buffer.alloc(4)),
          told('Z', Buffer.from('I')),
          told('E', Buffer.from(killed)),
        ]),
      ),
    ),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const pool = new Pool({ host: '127.0.0.1', port, user: 'nobody', database: 'none' });
  const participant = pgParticipant(pool);
  await expect(participant.run(async () => 'run')).rejects.toThrow(/connection/i);
  await pool.end();
  await new Promise((resolve) => server.close(resolve));
});
