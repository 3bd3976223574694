import { randomBytes } from 'node:crypto';
import mysql, { type RowDataPacket } from 'mysql2/promise';
import { findMariadb, startMariadb } from '../../tools/mariadb/server.mjs';
import { findMysql, startMysql } from '../../tools/mysql/server.mjs';
import type { TestDatabase } from './postgres.js';
import { sharedServer } from './servers.js';

export type MysqlKind = 'mariadb' | 'mysql';

/** A fresh database on the server of this run. */
export async function mysqlDatabase(kind: MysqlKind): Promise<TestDatabase> {
  const server = await sharedServer(kind);
  const name = `rivulet_${randomBytes(6).toString('hex')}`;
  await once(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = name;
  return {
    url: url.href,
    name,
    query: (sql, values) => once(url.href, sql, values),
    drop: async () => void (await once(server, `DROP DATABASE ${name}`)),
  };
}

async function once(
  uri: string,
  sql: string,
  values?: unknown[],
): Promise<Record<string, unknown>[]> {
  const connection = await mysql.createConnection({ uri, multipleStatements: true });
  try {
    const [rows] = await connection.query<RowDataPacket[]>(sql, values);
    return rows;
  } finally {
    await connection.end();
  }
}

/** A server that a test may change or kill. */
export function startMysqlServer(kind: MysqlKind): ReturnType<typeof startMysql> {
  return kind === 'mysql' ? startMysql(findMysql()!) : startMariadb(findMariadb()!);
}
