import { createPool, type PoolConnection } from 'mysql2/promise';
import pg from 'pg';
import { Rivulet } from '../../lib/core/rivulet.js';
import type { TransactionParticipant } from '../../lib/core/transaction/participant.js';
import { mysql2Participant } from '../../lib/participants/mysql2.js';
import { pgParticipant } from '../../lib/participants/pg.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { mysqlDatabase } from '../helpers/mysql.js';
import { postgresDatabase, type TestDatabase } from '../helpers/postgres.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { describeWith } from '../helpers/servers.js';
import { ShopFloor } from '../helpers/shop-floor.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';

interface Client {
  participant: TransactionParticipant;
  insert(tx: unknown, id: string): Promise<unknown>;
  close(): Promise<unknown>;
}

const commitTimeoutMs = 1_000;

function onPg(url: string): Client {
  const pool = new pg.Pool({ connectionString: url });
  return {
    participant: pgParticipant(pool, { commitTimeoutMs }),
    insert: (tx, id) => (tx as pg.PoolClient).query('INSERT INTO orders VALUES ($1)', [id]),
    close: () => pool.end(),
  };
}

function onMysql(url: string): Client {
  const pool = createPool(url);
  return {
    participant: mysql2Participant(pool, { commitTimeoutMs }),
    insert: (tx, id) => (tx as PoolConnection).query('INSERT INTO orders VALUES (?)', [id]),
    close: () => pool.end(),
  };
}

describe.each([
  ['postgres', postgresDatabase, onPg],
  ['mariadb', () => mysqlDatabase('mariadb'), onMysql],
] as const)('a COMMIT whose answer never comes, on %s', (name, open, connect) => {
  describeWith(name)('behind a wire that is dead without a word', () => {
    let database: TestDatabase;
    let proxy: TcpProxy;
    let client: Client;
    let redis: TestRedis;
    let rivulet: Rivulet;
    let floor: ShopFloor;
    beforeAll(async () => {
      [database, redis] = await Promise.all([open(), startRedis()]);
      await database.query('CREATE TABLE orders (id VARCHAR(60) PRIMARY KEY)');
      const url = new URL(database.url);
      proxy = await TcpProxy.inFrontOf(Number(url.port));
      url.hostname = '127.0.0.1';
      url.port = String(proxy.port);
      client = connect(url.href);
      const stores = new RedisStores({ connection: redis.url, namespace: 'unanswered' });
      const transactions = { participants: [client.participant] };
      rivulet = new Rivulet({ stores, settings: { topics: { queues: 1 }, transactions } });
      floor = new ShopFloor({ stores, topics: ['orders'], queues: 1 });
      await rivulet.open(30_000);
    });
    afterAll(async () => {
      await rivulet?.stop();
      await client?.close();
      await proxy?.close();
      await database?.drop();
      await redis?.stop();
    });

    const place = (id: string): Promise<string> =>
      rivulet.transactions.run(async (tx: unknown) => {
        await client.insert(tx, id);
        await rivulet.producer.send('orders', id);
        return `placed ${id}`;
      });
    /** COMMIT of the next order comes through, and nothing comes back. @returns whether it happened. */
    const loseAnswer = (): (() => boolean) => {
      let ordering: object | undefined;
      let isLost = false;
      proxy.cutPieces((way, chunk, connection) => {
        if (way !== 'request' || isLost) return undefined;
        if (chunk.includes('INSERT INTO orders')) ordering = connection;
        if (connection !== ordering || !chunk.includes('COMMIT')) return undefined;
        isLost = true;
        return 'mute';
      });
      return () => isLost;
    };
    /** The orders, when each of them has its message, once. */
    const orders = async (): Promise<string[]> => {
      await floor.whenDecided(database);
      const rows = await database.query('SELECT id FROM orders ORDER BY id');
      const ids = rows.map(({ id }) => String(id));
      expect(await floor.differences(new Set(ids))).toEqual({ lost: [], ghosts: [], doubled: [] });
      return ids;
    };

    it('is asked for on another connection, and its caller gets the result', async () => {
      const isLost = loseAnswer();
      expect(await place('a')).toBe('placed a');
      expect(isLost()).toBe(true);
      expect(await orders()).toEqual(['a']);
    });

    it('is not given to the next transaction, which has a connection that works', async () => {
      await place('b');
      expect(await orders()).toEqual(['a', 'b']);
    });
  });
});
