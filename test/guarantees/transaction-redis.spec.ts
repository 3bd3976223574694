import { Pool, type PoolClient } from 'pg';
import { Rivulet } from '../../lib/core/rivulet.js';
import type { RivuletSettingsInput } from '../../lib/core/settings.js';
import { BrokerUnavailableError } from '../../lib/core/transaction/errors.js';
import { pgParticipant } from '../../lib/participants/pg.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { bodyOf } from '../contract/messages.js';
import { postgresDatabase, type TestDatabase } from '../helpers/postgres.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { waitForServer } from '../helpers/servers.js';
import { within } from '../helpers/workload.js';

// What becomes of transactions when Redis goes away under them.

let redis: TestRedis;
let database: TestDatabase;
let pool: Pool;
let rivulet: Rivulet;
let stores: RedisStores;
const CONNECTIONS = 4;

waitForServer('postgres');
beforeEach(async () => {
  redis = await startRedis({ persistence: 'aof-always' });
  database = await postgresDatabase();
  await database.query('CREATE TABLE orders (id text PRIMARY KEY)');
});
afterEach(async () => {
  await rivulet.stop();
  await pool.end();
  await database.drop();
  await redis.stop();
});

async function open(transactions: RivuletSettingsInput['transactions']): Promise<void> {
  pool = new Pool({ connectionString: database.url, max: CONNECTIONS });
  stores = new RedisStores({ connection: redis.url, namespace: 'shop' });
  rivulet = new Rivulet({
    stores,
    settings: {
      topics: { queues: 2 },
      transactions: { participants: [pgParticipant(pool)], ...transactions },
    },
  });
  await rivulet.open(30_000);
  await placeAtLast('first');
}

const place = (id: string): Promise<unknown> =>
  rivulet.transactions.run(async (client: PoolClient) => {
    await client.query('INSERT INTO orders VALUES ($1)', [id]);
    await rivulet.producer.send('orders', id, { key: id });
  });
/** Again while Redis is too slow, as the error asks: any machine may stand still for the 250 ms that "fail" waits. */
function placeAtLast(id: string): Promise<void> {
  const again = (error: unknown): Promise<void> => {
    if (!(error instanceof BrokerUnavailableError)) throw error;
    return attempt();
  };
  const attempt = async (): Promise<void> => void (await place(id).catch(again));
  return within(60_000, `a transaction of ${id}`, attempt());
}

const names = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${name} ${i}`);
const orders = async (): Promise<string[]> =>
  (await database.query('SELECT id FROM orders')).map(({ id }) => String(id)).sort();

/** With the number of times, as consumers see them. */
async function messages(): Promise<string[]> {
  const found: string[] = [];
  for (const queue of [0, 1]) {
    const range = { topic: 'orders', queue, from: '-', to: '+', count: 100_000 };
    for (const { content } of await stores.log.range(range))
      if (content.kind === 'message')
        found.push(JSON.parse(bodyOf(content.frame).toString()) as string);
  }
  return found.sort();
}

/** Nothing waits in the database or as a half any more. */
async function settled(): Promise<void> {
  const isQuiet = async (): Promise<boolean> => {
    const [row] = await database.query('SELECT count(*)::int AS rows FROM rivulet_outbox');
    const counts = await Promise.all(
      [0, 1].map((queue) => stores.halves.count({ topic: 'orders', queue })),
    );
    return row!['rows'] === 0 && counts.every(({ waiting }) => waiting === 0);
  };
  const watch = async (): Promise<void> => {
    while (!(await isQuiet())) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await within(60_000, 'decisions', watch());
}

async function untilReady(wanted = true): Promise<void> {
  const { availability } = stores;
  if (availability.ready === wanted) return;
  await new Promise<void>((resolve) => {
    const stop = availability.onChange((ready) => {
      if (ready !== wanted) return;
      stop();
      resolve();
    });
  });
}

it('rolls back with "fail" while Redis is down, and gives every connection back', async () => {
  await open({ whenBrokerDown: 'fail' });
  await redis.kill();
  const outcomes = await Promise.allSettled(names('lost', 3 * CONNECTIONS).map(place));
  const codes = outcomes.map((end) => (end as { reason?: { code?: string } }).reason?.code);
  expect(new Set(codes)).toEqual(new Set(['BROKER_UNAVAILABLE']));
  expect(await orders()).toEqual(['first']);
  expect([pool.idleCount, pool.waitingCount]).toEqual([pool.totalCount, 0]);
  await redis.restart();
  await untilReady();
  await placeAtLast('second');
  await settled();
  expect(await messages()).toEqual(await orders());
  expect(await orders()).toEqual(['first', 'second']);
});

it('commits with "outbox" while Redis is down, and delivers once when it is back', async () => {
  await open({ whenBrokerDown: 'outbox' });
  await redis.kill();
  await Promise.all(names('kept', 3 * CONNECTIONS).map(place));
  expect(await orders()).toHaveLength(1 + 3 * CONNECTIONS);
  await redis.restart();
  await untilReady();
  await settled();
  expect(await messages()).toEqual(await orders());
});

it('neither loses nor doubles what is under way when Redis stands still for two seconds', async () => {
  await open({ halfTimeoutMs: 200, checkAfterMs: 1_000 });
  let isOver = false;
  let kept = 0;
  rivulet.events.on('outbox-kept', () => (kept += 1));
  const lanes = names('lane', CONNECTIONS).map(async (lane) => {
    for (let n = 0; !isOver; n++) await place(`${lane} ${n}`);
  });
  await redis.kill('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 2_000)); // the fault is its length
  await redis.kill('SIGCONT');
  await untilReady();
  await place('afterwards');
  isOver = true;
  await Promise.all(lanes);
  await settled();
  expect(kept).toBeGreaterThan(0);
  expect(await messages()).toEqual(await orders());
});

it('delivers once what was committed when Redis died before it heard of that', async () => {
  await open({ checkAfterMs: 500 });
  const commit = stores.halves.commit.bind(stores.halves);
  const killed = (async () => {
    await new Promise<void>((resolve) => {
      stores.halves.commit = async (...call) => {
        stores.halves.commit = commit;
        await redis.kill();
        resolve();
        return commit(...call);
      };
    });
  })();
  await place('committed');
  await killed;
  expect(await orders()).toEqual(['committed', 'first']);
  await redis.restart();
  await untilReady();
  await settled();
  expect(await messages()).toEqual(['committed', 'first']);
});

it('goes on with a Redis that was restarted and knows no script', async () => {
  await open({});
  await settled();
  const away = untilReady(false);
  await redis.restart();
  await away;
  await untilReady();
  await place('second');
  await settled();
  expect(await messages()).toEqual(['first', 'second']);
  const [outbox] = await database.query('SELECT count(*)::int AS rows FROM rivulet_outbox');
  expect(outbox).toEqual({ rows: 0 });
});
