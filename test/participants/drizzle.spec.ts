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
import { openMariadb } from './mariadb-harness.js';
import { describeParticipant } from './participant.contract.js';
import { openPostgres } from './postgres-harness.js';

type Shared = Pick<ParticipantHarness, 'dialect' | 'orders' | 'empty'>;
/** A participant on a client of its own, and the end of that client. */
type Connect = (
  url: string,
  options: SqlParticipantOptions,
) => { participant: TransactionParticipant; end(): Promise<void> };

function harness(
  connect: Connect,
  { database, shared }: { database: TestDatabase; shared: Shared },
): ParticipantHarness {
  const ends: (() => Promise<void>)[] = [];
  return {
    ...shared,
    async open(options = {}) {
      const { participant, end } = connect(database.url, options);
      ends.push(end);
      return participant;
    },
    write: async (tx, order) => void (await tx.execute(sql`INSERT INTO orders VALUES (${order})`)),
    read: async (tx) => tx.execute(sql`SELECT * FROM orders`),
    isolation: (isolation) => ({ isolation }),
    async close() {
      await Promise.all(ends.map((end) => end()));
      await database.drop();
    },
  };
}

const pg: Connect = (url, options) => {
  const pool = new Pool({ connectionString: url });
  pool.on('error', () => undefined); // the database is dropped while connections end
  return {
    participant: drizzleParticipant(onPg(pool), { sql, ...options }),
    end: () => pool.end(),
  };
};
const postgresJs: Connect = (url, options) => {
  const client = postgres(url, { onnotice: () => undefined });
  return {
    participant: drizzleParticipant(onPostgresJs(client), { sql, ...options }),
    end: () => client.end(),
  };
};
const mysql2: Connect = (url, options) => {
  const pool = createPool(url);
  return {
    participant: drizzleParticipant(onMysql2(pool), { sql, ...options }),
    end: () => pool.end(),
  };
};

const can = { isolation: true, writersMeet: true };

describeWith('postgres')('drizzle on pg', () => {
  describeParticipant(async () => harness(pg, await openPostgres()), can);
});

describeWith('postgres')('drizzle on postgres.js', () => {
  describeParticipant(async () => harness(postgresJs, await openPostgres()), can);
});

describeWith('mariadb')('drizzle on mysql2', () => {
  describeParticipant(async () => harness(mysql2, await openMariadb()), can);
});

describe('drizzle on something else', () => {
  it('is refused', () => {
    expect(() => drizzleParticipant({}, { sql })).toThrow('no database of Drizzle');
  });
});
