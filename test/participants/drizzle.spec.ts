import { sql } from 'drizzle-orm';
import { drizzle as onMysql2 } from 'drizzle-orm/mysql2';
import { drizzle as onPg } from 'drizzle-orm/node-postgres';
import { drizzle as onPostgresJs } from 'drizzle-orm/postgres-js';
import { createPool } from 'mysql2/promise';
import { Pool } from 'pg';
import postgres from 'postgres';
import type { TransactionParticipant } from '../../lib/core/transaction/participant.js';
import { drizzleParticipant } from '../../lib/participants/drizzle.js';
import type { SqlParticipantOptions } from '../../lib/participants/sql/sql-participant.js';
import type { TestDatabase } from '../helpers/postgres.js';
import { describeWith } from '../helpers/servers.js';
import type { ParticipantHarness } from './harness.js';
import { openMysql } from './mysql-harness.js';
import { describeParticipant } from './participant.contract.js';
import { openPostgres } from './postgres-harness.js';

type Shared = Pick<ParticipantHarness, 'dialect' | 'orders' | 'empty'>;
/** A database of Drizzle, its participant, and the end of their client. */
type Connect = (
  url: string,
  options: SqlParticipantOptions,
) => {
  database: { transaction<R>(body: () => Promise<R>): Promise<R> };
  participant: TransactionParticipant;
  end(): Promise<void>;
};

function harness(
  connect: Connect,
  { database, shared }: { database: TestDatabase; shared: Shared },
): ParticipantHarness {
  const clients = new Map<object, ReturnType<Connect>>();
  return {
    ...shared,
    async open(options = {}) {
      const client = connect(database.url, options);
      clients.set(client.participant, client);
      return client.participant;
    },
    savepoint: (tx, body) => tx.transaction(body),
    foreign: (participant, body) => clients.get(participant)!.database.transaction(body),
    write: async (tx, order) => void (await tx.execute(sql`INSERT INTO orders VALUES (${order})`)),
    read: async (tx) => tx.execute(sql`SELECT * FROM orders`),
    isolation: (isolation) => ({ isolation }),
    async kill(tx) {
      const answer = await tx.execute(
        shared.dialect === 'mysql'
          ? sql`SELECT CONNECTION_ID() AS pid`
          : sql`SELECT pg_backend_pid() AS pid`,
      );
      const pid = Number((answer.rows ?? answer.flat())[0].pid);
      await database.query(
        shared.dialect === 'mysql' ? `KILL ${pid}` : `SELECT pg_terminate_backend(${pid})`,
      );
    },
    async close() {
      await Promise.all([...clients.values()].map(({ end }) => end()));
      await database.drop();
    },
  };
}

const pg: Connect = (url, options) => {
  const pool = new Pool({ connectionString: url });
  pool.on('error', () => undefined); // the database is dropped while connections end
  const database = onPg(pool);
  return {
    database,
    participant: drizzleParticipant(database, { sql, ...options }),
    end: () => pool.end(),
  };
};
const postgresJs: Connect = (url, options) => {
  const client = postgres(url, { onnotice: () => undefined });
  const database = onPostgresJs(client);
  return {
    database,
    participant: drizzleParticipant(database, { sql, ...options }),
    end: () => client.end(),
  };
};
const mysql2: Connect = (url, options) => {
  const pool = createPool(url);
  const database = onMysql2(pool);
  return {
    database,
    participant: drizzleParticipant(database, { sql, ...options }),
    end: () => pool.end(),
  };
};

const can = { isolation: true, writersMeet: true, foreign: true, ownSavepoints: true, kill: true };

describeWith('postgres')('drizzle on pg', () => {
  describeParticipant(async () => harness(pg, await openPostgres()), can);
});

// A killed connection of postgres.js 3.4 throws where nobody can catch it.
describeWith('postgres')('drizzle on postgres.js', () => {
  describeParticipant(async () => harness(postgresJs, await openPostgres()), {
    ...can,
    kill: false,
  });
});

describeWith('mariadb')('drizzle on mysql2', () => {
  describeParticipant(async () => harness(mysql2, await openMysql('mariadb')), can);
});

describe('drizzle on something else', () => {
  it('is refused', () => {
    expect(() => drizzleParticipant({ transaction() {} }, { sql })).toThrow(
      'no database of Drizzle',
    );
  });
});
