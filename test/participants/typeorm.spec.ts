import { DataSource, type EntityManager } from 'typeorm';
import { typeormParticipant } from '../../lib/participants/typeorm.js';
import type { TestDatabase } from '../helpers/postgres.js';
import { describeWith } from '../helpers/servers.js';
import type { Isolation, ParticipantHarness } from './harness.js';
import { openMysql } from './mysql-harness.js';
import { describeParticipant } from './participant.contract.js';
import { openPostgres } from './postgres-harness.js';

type Shared = Pick<ParticipantHarness, 'dialect' | 'orders' | 'empty'>;

function harness(
  type: 'postgres' | 'mysql',
  { database, shared }: { database: TestDatabase; shared: Shared },
): ParticipantHarness<EntityManager> {
  const sources = new Map<object, DataSource>();
  return {
    ...shared,
    async open(options) {
      const source = await new DataSource({ type, url: database.url }).initialize();
      const participant = typeormParticipant(source, options);
      sources.set(participant, source);
      return participant;
    },
    savepoint: (tx, body) => tx.transaction(body),
    foreign: (participant, body) => sources.get(participant)!.transaction(body),
    write: async (tx, order) => void (await tx.insert('orders', { id: order })),
    read: (tx) => tx.query('SELECT * FROM orders'),
    isolation: (level: Isolation) => ({ isolation: level.toUpperCase() }),
    async kill(tx) {
      const sql = {
        postgres: 'SELECT pg_backend_pid() AS id',
        mysql: 'SELECT CONNECTION_ID() AS id',
      }[type];
      const [{ id }] = (await tx.query<{ id: number }[]>(sql)) as [{ id: number }];
      await database.query(
        { postgres: `SELECT pg_terminate_backend(${id})`, mysql: `KILL ${id}` }[type],
      );
    },
    swallow: async (tx) =>
      type === 'postgres'
        ? tx.query('INSERT INTO nowhere VALUES (1)').then(
            () => {},
            () => {},
          )
        : void (await tx.query('CREATE TABLE IF NOT EXISTS made_meanwhile (a INT)')),
    async close() {
      await Promise.all([...sources.values()].map((source) => source.destroy()));
      await database.drop();
    },
  };
}

const can = {
  isolation: true,
  writersMeet: true,
  kill: true,
  swallow: true,
  foreign: true,
  ownSavepoints: true,
};

describeWith('postgres')('typeorm on PostgreSQL', () => {
  describeParticipant(async () => harness('postgres', await openPostgres()), can);
});

describeWith('mariadb')('typeorm on MariaDB', () => {
  describeParticipant(async () => harness('mysql', await openMysql('mariadb')), can);
});

describe('typeorm on SQLite', () => {
  it('is refused, since its transactions mix', () => {
    const refused = (): never => {
      throw new Error('Nothing is asked of it');
    };
    const source = {
      options: { type: 'better-sqlite3' },
      ...{ createQueryRunner: refused, transaction: refused },
    } as unknown as DataSource;
    expect(() => typeormParticipant(source)).toThrow('mixes the statements');
  });
});
