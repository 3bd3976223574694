import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '@libsql/client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Keys } from '../../lib/redis/keys.js';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { mongoDatabase } from '../helpers/mongo.js';
import { mysqlDatabase } from '../helpers/mysql.js';
import { postgresDatabase } from '../helpers/postgres.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { describeWith } from '../helpers/servers.js';
import { ShopFloor } from '../helpers/shop-floor.js';
import { connect, publishMany, whenAllSettled } from '../helpers/workload.js';

const PROGRAM = new URL('./programs/inbox-consumer.mjs', import.meta.url);
const POINTS = ['written', 'COMMIT sent', 'COMMIT answered', 'recorded'];
/** More than those who die at their third take with them. */
const MESSAGES = Number(process.env['RIVULET_MESSAGES'] ?? 60);
const [ORDERS, BILLS, GROUP] = ['orders', 'bills', 'billing'];

interface Bills {
  url: string;
  /** A statement of the test's own; the rows of it. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  drop(): Promise<void>;
}

async function sqliteFile(): Promise<Bills> {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-inbox-'));
  const url = `file:${join(folder, 'bills.db')}`;
  const client = createClient({ url });
  await client.execute('PRAGMA journal_mode = WAL');
  return {
    url,
    query: async (sql) => (await client.execute(sql)).rows as unknown as Record<string, unknown>[],
    drop: async () => {
      client.close();
      rmSync(folder, { recursive: true });
    },
  };
}

const DATABASES = [
  { kind: 'postgres', open: postgresDatabase, describe: describeWith('postgres') },
  { kind: 'mariadb', open: () => mysqlDatabase('mariadb'), describe: describeWith('mariadb') },
  { kind: 'mongo', open: mongoDatabase, describe: describeWith('mongo') },
  { kind: 'sqlite', open: sqliteFile, describe },
] as const;

let redis: TestRedis;
let operator: Redis;
beforeAll(async () => {
  redis = await startRedis();
  operator = new Redis(redis.url);
});
afterAll(async () => {
  operator.disconnect();
  await redis.stop();
});

/** How often each key is there. */
function times(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/** Redis forgets what was handled, and hands out every message again. */
async function forgetAndRedeliver(namespace: string, queues: number): Promise<void> {
  const records = await operator.keys(`{${namespace}:dedup:*`);
  expect(records.length).toBeGreaterThan(0);
  await operator.unlink(...records);
  const keys = new Keys({ namespace });
  for (let queue = 0; queue < queues; queue++)
    await operator.xgroup('SETID', keys.queue({ topic: ORDERS, queue }).log, GROUP, '0');
}

for (const database of DATABASES)
  database.describe(`an idempotent handler with ${database.kind}`, () => {
    let bills: Bills;
    beforeAll(async () => {
      bills = await database.open();
      await bills.query('CREATE TABLE bills (id VARCHAR(60))');
    });
    afterAll(() => bills?.drop());

    it('writes and sends once for each message, wherever it is killed, although Redis forgets and delivers all of them again', async () => {
      const namespace = `inbox-${database.kind}`;
      const fleetOf = (diesAt?: string): Fleet => {
        const facts = { namespace, kind: database.kind, database: bills.url, diesAt };
        return new Fleet({ program: PROGRAM, args: [redis.url, JSON.stringify(facts)] });
      };
      const producing = connect(redis.url, namespace);
      await producing.open();
      const { queues } = await producing.topics.get(ORDERS);
      const floor = new ShopFloor({ stores: producing.stores, topics: [BILLS], queues });
      await publishMany(producing, MESSAGES);
      await Promise.all(
        POINTS.map(async (point) => {
          const doomed = fleetOf(point);
          await doomed.launch();
          while (doomed.size > 0) await doomed.change();
        }),
      );

      const fleet = fleetOf();
      await fleet.launch();
      while ((await floor.messages(BILLS)).size < MESSAGES) await pause(50);
      await forgetAndRedeliver(namespace, queues);
      await whenAllSettled(producing, { topic: ORDERS, group: GROUP });
      await fleet.stop();

      const rows = await bills.query('SELECT id FROM bills');
      const written = times(rows.map(({ id }) => String(id)));
      const messages = await floor.messages(BILLS);
      tellFigures(`inbox ${database.kind}`, {
        messages: MESSAGES,
        kills: POINTS.length,
        rows: rows.length,
      });
      await producing.stop();
      const once = new Set([1]);
      expect([written.size, new Set(written.values())]).toEqual([MESSAGES, once]);
      expect([messages.size, new Set(messages.values())]).toEqual([MESSAGES, once]);
      expect(fleet.duplicates.size).toBe(MESSAGES);
    });
  });
