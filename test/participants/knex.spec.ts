import createKnex, { type Knex } from 'knex';
import { knexParticipant } from '../../lib/participants/knex.js';
import type { TestDatabase } from '../helpers/postgres.js';
import { describeWith } from '../helpers/servers.js';
import type { ParticipantHarness } from './harness.js';
import { openMysql } from './mysql-harness.js';
import { describeParticipant } from './participant.contract.js';
import { openPostgres } from './postgres-harness.js';

type Shared = Pick<ParticipantHarness, 'dialect' | 'orders' | 'empty'>;

function harness(
  client: 'pg' | 'mysql2',
  { database, shared }: { database: TestDatabase; shared: Shared },
): ParticipantHarness<Knex.Transaction> {
  const knexes = new Map<object, Knex>();
  return {
    ...shared,
    async open(options) {
      const knex = createKnex({ client, connection: database.url });
      const participant = knexParticipant(knex, options);
      knexes.set(participant, knex);
      return participant;
    },
    savepoint: (tx, body) => tx.transaction(body),
    foreign: (participant, body) => knexes.get(participant)!.transaction(body),
    write: async (tx, order) => void (await tx('orders').insert({ id: order })),
    read: (tx) => tx('orders').select(),
    isolation: (isolation) => ({ isolation }),
    async close() {
      await Promise.all([...knexes.values()].map((knex) => knex.destroy()));
      await database.drop();
    },
  };
}

const can = { isolation: true, writersMeet: true, foreign: true, ownSavepoints: true };

describeWith('postgres')('knex on PostgreSQL', () => {
  describeParticipant(async () => harness('pg', await openPostgres()), can);
});

describeWith('mariadb')('knex on MariaDB', () => {
  describeParticipant(async () => harness('mysql2', await openMysql('mariadb')), can);
});

describeWith('postgres')('two participants of one Knex', () => {
  it('do not take the transactions of each other for those of somebody else', async () => {
    const { database } = await openPostgres();
    const knex = createKnex({ client: 'pg', connection: database.url });
    const [one, other] = ['one', 'other'].map((name) => knexParticipant(knex, { name }));
    for (const participant of [one!, other!])
      await participant.run(async () => {
        expect([one!.foreign!(), other!.foreign!()]).toEqual([undefined, undefined]);
      });
    await knex.destroy();
    await database.drop();
  });
});

describe('knex on another database', () => {
  it('is refused', () => {
    const knex = createKnex({
      client: class extends createKnex.Client {
        override dialect = 'sqlite3';
      } as never,
    });
    expect(() => knexParticipant(knex)).toThrow('must be PostgreSQL');
  });
});
