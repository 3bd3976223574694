import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient, type Transaction } from '@libsql/client';
import { libsqlParticipant } from '../../lib/participants/libsql.js';
import type { ParticipantHarness } from './harness.js';
import { gate, soon, transactionId } from './ids.js';
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

  /** A database of its own, with a second client beside the participant's. */
  async function own(journal: 'WAL' | 'DELETE') {
    const folder = mkdtempSync(join(tmpdir(), 'rivulet-libsql-'));
    const url = `file:${join(folder, 'shop.db')}`;
    const [client, beside] = [createClient({ url }), createClient({ url })];
    await client.execute(`PRAGMA journal_mode = ${journal}`);
    const participant = libsqlParticipant(client, { busyTimeoutMs: 2_000 });
    await participant.prepare();
    const end = (): void => {
      client.close();
      beside.close();
      rmSync(folder, { recursive: true });
    };
    return { url, participant, beside, end };
  }

  it('refuses options of a transaction: it has none', async () => {
    const { participant, end } = await own('WAL');
    const options = { isolation: 'serializable' } as never;
    await expect(participant.run(async () => {}, options)).rejects.toThrow('isolation');
    await end();
  });

  it('leaves the rows of a relay that died to others after half a minute', async () => {
    const { participant, beside, end } = await own('WAL');
    const id = transactionId(1_000);
    await participant.run((tx) => participant.outbox.put(tx, { id, bytes: Buffer.from('a') }));
    const look = { limit: 9, maxBytes: 9, before: Date.now() };
    const heldUntil = async (): Promise<number> => {
      const { rows } = await beside.execute('SELECT held_until FROM rivulet_outbox');
      return Number(rows[0]!['held_until']);
    };
    await participant.outbox.drain(look, async () => {
      expect(await heldUntil()).toBeGreaterThan(Date.now());
      expect(await heldUntil()).toBeLessThanOrEqual(Date.now() + 30_000);
      return [];
    });
    const hold = (until: number): Promise<unknown> =>
      beside.execute({ sql: 'UPDATE rivulet_outbox SET held_until = ?', args: [until] });
    await hold(Date.now() + 30_000);
    expect(await participant.outbox.drain(look, async () => [])).toBe(0);
    await hold(Date.now() - 1);
    expect(await participant.outbox.drain(look, async () => [])).toBe(1);
    end();
  });

  it('commits once whoever reads has ended, where readers keep writers waiting', async () => {
    const { participant, beside, end } = await own('DELETE');
    const reading = await beside.transaction('deferred');
    await reading.execute('SELECT * FROM rivulet_outbox');
    const id = transactionId();
    let triedAgain = (): void => {};
    const secondTry = new Promise<void>((resolve) => (triedAgain = resolve));
    let isOver = false;
    const committing = participant
      .run((tx) => {
        const execute = tx.executeMultiple.bind(tx);
        let tries = 0;
        tx.executeMultiple = (sql) => {
          if (++tries === 2) triedAgain();
          return execute(sql);
        };
        return participant.mark(tx, { id, deadline: soon() });
      })
      .then(() => (isOver = true));
    await secondTry;
    expect(isOver).toBe(false);
    reading.close();
    await committing;
    expect(await participant.decide([id])).toEqual(new Map([[id, 'commit']]));
    end();
  });

  it('says that another process writes for longer than it may be waited for', async () => {
    const { url, beside, end } = await own('WAL');
    const impatient = createClient({ url });
    const writing = await beside.transaction('write');
    const refused = libsqlParticipant(impatient, { busyTimeoutMs: 20 }).prepare();
    await expect(refused).rejects.toMatchObject({ code: expect.stringContaining('SQLITE_BUSY') });
    writing.close();
    impatient.close();
    end();
  });

  it('lets what outlives a transaction begin one of its own', async () => {
    const { participant, end } = await own('WAL');
    const { opened, open: release } = gate();
    let left: Promise<string> | undefined;
    await participant.run(async () => {
      left = opened.then(() => participant.run(async () => 'began'));
    });
    release();
    expect(await left).toBe('began');
    end();
  });

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
