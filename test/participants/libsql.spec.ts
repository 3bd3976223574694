import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient, type Transaction } from '@libsql/client';
import { libsqlParticipant } from '../../lib/participants/libsql.js';
import type { ParticipantHarness } from './harness.js';
import { describeParticipant } from './participant.contract.js';

async function open(): Promise<ParticipantHarness<Transaction>> {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-libsql-'));
  const clients: Client[] = [];
  const connect = (): Client => {
    const client = createClient({ url: `file:${join(folder, 'shop.db')}` });
    clients.push(client);
    return client;
  };
  const admin = connect();
  await admin.execute('PRAGMA journal_mode = WAL');
  await admin.execute('CREATE TABLE orders (id TEXT PRIMARY KEY)');
  return {
    dialect: 'sqlite',
    open: async (options) => libsqlParticipant(connect(), { busyTimeoutMs: 300, ...options }),
    write: async (tx, order) =>
      void (await tx.execute({ sql: 'INSERT INTO orders VALUES (?)', args: [order] })),
    read: (tx) => tx.execute('SELECT * FROM orders'),
    async orders() {
      const { rows } = await admin.execute('SELECT id FROM orders ORDER BY id');
      return rows.map((row) => row['id'] as string);
    },
    empty: async () =>
      admin.executeMultiple(
        `DELETE FROM orders; DELETE FROM rivulet_tx; DELETE FROM rivulet_outbox; DELETE FROM rivulet_inbox;
        DELETE FROM rivulet_meta WHERE name <> 'identity'`,
      ),
    async close() {
      for (const client of clients) client.close();
      rmSync(folder, { recursive: true });
    },
  };
}

describe('libsql', () => {
  describeParticipant(open, { writersMeet: false });

  it('refuses a transaction within another one, which would wait for itself', async () => {
    const h = await open();
    const participant = await h.open();
    await participant.prepare();
    const outer = participant.run(() => participant.run(async () => undefined));
    await expect(outer).rejects.toThrow('one writer');
    await participant.run(async () => undefined);
    await h.close();
  });
});
