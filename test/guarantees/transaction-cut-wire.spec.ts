import { setTimeout as wait } from 'node:timers/promises';
import mongoose, { type ClientSession } from 'mongoose';
import { createPool } from 'mysql2/promise';
import pg from 'pg';
import { Rivulet } from '../../lib/core/rivulet.js';
import type { TransactionParticipant } from '../../lib/core/transaction/participant.js';
import { mongooseParticipant } from '../../lib/participants/mongoose.js';
import { mysql2Participant } from '../../lib/participants/mysql2.js';
import { pgParticipant } from '../../lib/participants/pg.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { tellFigures } from '../helpers/figures.js';
import { mongoDatabase } from '../helpers/mongo.js';
import { mysqlDatabase } from '../helpers/mysql.js';
import { postgresDatabase, type TestDatabase } from '../helpers/postgres.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { describeWith } from '../helpers/servers.js';
import { ShopFloor } from '../helpers/shop-floor.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';

/** How long the wire is cut, for each database; `npm run test:chaos` takes longer. */
const CHAOS_MS = Number(process.env['RIVULET_CHAOS_MS'] ?? 2_500);
const LANES = 6;
/** A connection lives for so many bytes in one direction, at most. The greetings of MongoDB take some of them. */
const LIFE_BYTES = { postgres: 8_000, mariadb: 8_000, mysql: 8_000, mongo: 40_000 };

type Side = 'before' | 'after';

const isCommit = (chunk: Buffer): boolean =>
  chunk.includes('COMMIT') || chunk.includes('commitTransaction');

interface Client {
  participant: TransactionParticipant;
  insert(tx: never, key: string): Promise<unknown>;
  close(): Promise<unknown>;
}

const clients: [keyof typeof LIFE_BYTES, () => Promise<TestDatabase>, (url: string) => Client][] = [
  ['postgres', postgresDatabase, onPg],
  ['mariadb', () => mysqlDatabase('mariadb'), onMysql],
  ['mysql', () => mysqlDatabase('mysql'), onMysql],
  ['mongo', mongoDatabase, onMongo],
];

describe.each(clients)('with the wire to %s cut at any byte, COMMIT included', (name, open, on) => {
  describeWith(name)('a transaction', () => {
    let redis: TestRedis;
    let database: TestDatabase;
    let proxy: TcpProxy;
    let client: Client;
    beforeAll(async () => {
      redis = await startRedis();
      database = await open();
      await database.query('CREATE TABLE orders (id VARCHAR(60) PRIMARY KEY)');
      const url = new URL(database.url);
      proxy = await TcpProxy.inFrontOf(Number(url.port));
      url.hostname = '127.0.0.1';
      url.port = String(proxy.port);
      client = on(url.href);
      await client.participant.prepare();
    });
    afterAll(async () => {
      await client?.close();
      await proxy?.close();
      await database?.drop();
      await redis?.stop();
    });

    const orders = async (): Promise<Set<string>> =>
      new Set((await database.query('SELECT id FROM orders')).map(({ id }) => String(id)));

    /** Places orders on several lanes while the wire is cut; so many times around a COMMIT at least. */
    async function placeAll(
      place: (key: string) => Promise<unknown>,
      options: {
        prefix: string;
        ms: number;
        /** On which side of a COMMIT the wire is cut. */
        cutAt(random: () => number): Side | undefined;
        isEnough(so: Record<Side | 'placed', number>): boolean;
      },
    ) {
      const seed = newSeed();
      const random = seededRandom(seed);
      const cuts = { before: 0, after: 0 };
      proxy.cutPieces((direction, chunk) => {
        if (direction !== 'request' || !isCommit(chunk)) return;
        const where = options.cutAt(random);
        if (where) cuts[where] += 1;
        return where;
      });
      proxy.cutConnections(() => ({
        cutAfterBytes: Math.ceil(random() * LIFE_BYTES[name]),
        direction: random() < 0.5 ? 'request' : 'reply',
      }));

      const told = { placed: new Set<string>(), failed: new Set<string>(), 'in doubt': 0 };
      const stopped = new AbortController();
      const lane = async (_: unknown, i: number): Promise<void> => {
        for (let n = 0; !stopped.signal.aborted; n++) {
          const key = `${options.prefix}:${i}:${n}`;
          try {
            await place(key);
            told.placed.add(key);
          } catch (error) {
            if ((error as { code?: string }).code === 'IN_DOUBT') told['in doubt'] += 1;
            else told.failed.add(key);
          }
        }
      };
      const lanes = Array.from({ length: LANES }, lane);
      await wait(options.ms);
      while (!options.isEnough({ ...cuts, placed: told.placed.size })) await wait(50);
      stopped.abort();
      await Promise.all(lanes);
      proxy.heal();
      return { seed, cuts, told };
    }

    it(
      'has its messages if and only if it has its rows, and its caller is told the truth',
      async () => {
        const stores = new RedisStores({ connection: redis.url, namespace: 'wire' });
        const transactions = { participants: [client.participant], checkAfterMs: 300 };
        const rivulet = new Rivulet({ stores, settings: { topics: { queues: 2 }, transactions } });
        await rivulet.open(30_000);
        const place = (key: string): Promise<void> =>
          rivulet.transactions.run(async (tx: never) => {
            await client.insert(tx, key);
            await rivulet.producer.send('orders', key, { key });
            await rivulet.producer.send('audit', key, { key });
          });
        const { seed, cuts, told } = await placeAll(place, {
          prefix: 'a',
          ms: CHAOS_MS,
          cutAt: (random) => (random() > 0.05 ? undefined : random() < 0.5 ? 'before' : 'after'),
          isEnough: ({ before, after, placed }) => before >= 3 && after >= 3 && placed > 60,
        });

        const floor = new ShopFloor({ stores, topics: ['orders', 'audit'], queues: 2 });
        await floor.whenDecided(database);
        const placed = await orders();
        const differences = await floor.differences(placed);
        const { lost, ghosts, doubled } = differences;
        tellFigures(`transaction-cut-wire-${name}`, {
          ...{ seed, confirmed: placed.size, cuts: proxy.cuts },
          ...{ 'cut before COMMIT': cuts.before, 'cut behind COMMIT': cuts.after },
          ...{ failed: told.failed.size, 'in doubt': told['in doubt'] },
          ...{ lost: lost.length, ghosts: ghosts.length, doubled: doubled.length },
        });
        expect(differences).toEqual({ lost: [], ghosts: [], doubled: [] });
        expect([...told.placed].filter((key) => !placed.has(key))).toEqual([]);
        expect([...told.failed].filter((key) => placed.has(key))).toEqual([]);
        expect(placed.size).toBeGreaterThan(50);
        await rivulet.stop();
      },
      CHAOS_MS + 240_000,
    );

    it('is misjudged by who takes an unanswered COMMIT for a failure: this test would see it', async () => {
      const { participant, insert } = client;
      const place = (key: string) => participant.run((tx) => insert(tx as never, key));
      const { told } = await placeAll(place, {
        prefix: 'control',
        ms: 0,
        cutAt: () => 'after', // always: the driver of MongoDB sends COMMIT once more
        isEnough: ({ after }) => after >= 4,
      });
      const placed = await orders();
      expect([...told.failed].filter((key) => placed.has(key)).length).toBeGreaterThan(0);
    });
  });
});

function onPg(url: string): Client {
  const pool = new pg.Pool({ connectionString: url, max: LANES + 2 });
  return {
    participant: pgParticipant(pool),
    insert: (tx: pg.PoolClient, key) => tx.query('INSERT INTO orders VALUES ($1)', [key]),
    close: () => pool.end(),
  };
}

function onMysql(url: string): Client {
  const pool = createPool({ uri: url, connectionLimit: LANES + 2 });
  return {
    participant: mysql2Participant(pool),
    insert: (tx: { query(sql: string, values: unknown[]): Promise<unknown> }, key) =>
      tx.query('INSERT INTO orders VALUES (?)', [key]),
    close: () => pool.end(),
  };
}

function onMongo(url: string): Client {
  const connection = mongoose.createConnection(url);
  return {
    participant: mongooseParticipant(connection),
    insert: (session: ClientSession, key) =>
      connection.db!.collection<{ _id: string }>('orders').insertOne({ _id: key }, { session }),
    close: () => connection.close(),
  };
}
