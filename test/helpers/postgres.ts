import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { findPostgres, startPostgres as start } from '../../tools/postgres/server.mjs';
import { sharedServer } from './servers.js';

export interface TestDatabase {
  url: string;
  name: string;
  /** Statements on a connection of its own; the rows of each. */
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  drop(): Promise<void>;
}

/** A fresh database on the server of this run. */
export async function postgresDatabase(): Promise<TestDatabase> {
  const server = await sharedServer('postgres');
  const name = `rivulet_${randomBytes(6).toString('hex')}`;
  await once(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = name;
  return {
    url: url.href,
    name,
    query: (sql, values) => once(url.href, sql, values),
    drop: async () => void (await once(server, `DROP DATABASE ${name} WITH (FORCE)`)),
  };
}

/** A server that a test may kill. */
export function startPostgres(): ReturnType<typeof start> {
  return start(findPostgres()!);
}

async function once(
  url: string,
  sql: string,
  values?: unknown[],
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}
