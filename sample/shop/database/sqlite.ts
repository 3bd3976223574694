import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient, type Transaction } from '@libsql/client';
import { libsqlParticipant } from 'nestjs-rivulet/participants/libsql';
import { Database } from './database.js';

export class Sqlite extends Database {
  private readonly client: Client;
  private readonly folder: string | undefined;
  readonly participant;

  /** Without a URL: a file that comes and goes with the shop. */
  constructor(url?: string) {
    super();
    this.folder = url === undefined ? mkdtempSync(join(tmpdir(), 'rivulet-shop-')) : undefined;
    this.client = createClient({ url: url ?? `file:${this.folder}/shop.db` });
    this.participant = libsqlParticipant(this.client);
  }

  async query<Row>(sql: string, values: (string | number)[], tx?: unknown): Promise<Row[]> {
    const at = (tx as Transaction | undefined) ?? this.client;
    return (await at.execute({ sql, args: values })).rows as Row[];
  }

  async close(): Promise<void> {
    this.client.close();
    if (this.folder) rmSync(this.folder, { recursive: true, force: true });
  }
}
