import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { postgresDatabase, type TestDatabase } from '../helpers/postgres.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { waitForServer } from '../helpers/servers.js';
import { Shop, type Transactor } from '../helpers/shop.js';
import { within } from '../helpers/workload.js';

// The crash points of docs/lifecycles.md#a-half-message, and of the process that owns the transaction.
const CHECK_AFTER_MS = 300;

let redis: TestRedis;
let database: TestDatabase;
let shop: Shop;
waitForServer('postgres');
beforeAll(async () => {
  redis = await startRedis();
  database = await postgresDatabase();
  shop = await Shop.open({ redisUrl: redis.url, databaseUrl: database.url, namespace: 'crash' });
});
afterAll(async () => {
  await shop.close();
  await database.drop();
  await redis.stop();
});

/** A process for each point takes its time: `npm run test:chaos` goes through all of them. */
const IS_LONG = process.env['RIVULET_CHAOS_MS'] !== undefined;

/** `order`: what must be in the database afterwards; undefined where either is right. */
const POINTS: readonly { store: 'half' | 'outbox'; point: string; order?: boolean }[] = [
  { store: 'half', point: 'after the body', order: false },
  { store: 'half', point: 'marker stored, no half', order: false },
  { store: 'half', point: 'half stored, no marker', order: false },
  { store: 'half', point: 'marker and half stored', order: false },
  { store: 'half', point: 'COMMIT sent' },
  { store: 'half', point: 'COMMIT answered', order: true },
  { store: 'half', point: 'commit sent', order: true },
  { store: 'half', point: 'commit answered', order: true },
  { store: 'outbox', point: 'marker and half stored', order: false },
  { store: 'outbox', point: 'COMMIT answered', order: true },
  { store: 'outbox', point: 'publish sent', order: true },
  ...(IS_LONG
    ? [
        { store: 'half', point: 'before BEGIN', order: false } as const,
        { store: 'half', point: 'in the body', order: false } as const,
        { store: 'outbox', point: 'COMMIT sent' } as const,
        { store: 'outbox', point: 'publish answered', order: true } as const,
      ]
    : []),
];

it('makes order and messages visible together or not at all, wherever the process is killed', async () => {
  const left = [...POINTS];
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const { store, point } = next;
      const transactions = { store, checkAfterMs: CHECK_AFTER_MS };
      const place = { once: `${store} ${point}`, transactions };
      const victim = await shop.launch(place, { RIVULET_KILL_AT: point });
      if (victim.signalCode === null)
        await within(60_000, `death: ${store} ${point}`, once(victim, 'exit'));
      expect([point, victim.signalCode]).toEqual([point, 'SIGKILL']);
    }
  };
  // A few at a time: each is a process of its own.
  await Promise.all([worker(), worker(), worker()]);
  await shop.settle();

  expect(await shop.differences()).toEqual({ lost: [], ghosts: [], doubled: [] });
  const orders = await shop.orders();
  const decided = POINTS.filter(({ order }) => order !== undefined);
  const found = decided.map(({ store, point }) => ({
    store,
    point,
    order: orders.has(`${store} ${point}`),
  }));
  expect(found).toEqual(decided);
});

describe('a process that stood still while it was checked', () => {
  const half: Transactor = { transactions: { store: 'half', checkAfterMs: CHECK_AFTER_MS } };

  async function stopped(key: string, point: string) {
    const sleeper = await shop.launch({ ...half, once: key }, { RIVULET_STOP_AT: point });
    const answered = once(sleeper, 'message');
    return { sleeper, answered };
  }

  it('before its marker: is decided against, and fails when it wakes', async () => {
    const key = 'slept before the marker';
    const { sleeper, answered } = await stopped(key, 'half stored, no marker');
    const checker = await shop.launch(half);
    await within(60_000, 'a verdict', whenChecked(checker, 'rollback'));
    sleeper.kill('SIGCONT');
    const [told] = (await within(60_000, 'its end', answered)) as unknown[];
    expect(told).toEqual({ failed: key, code: expect.any(String) });
    expect((await shop.orders()).has(key)).toBe(false);
    for (const one of [sleeper, checker]) await ended(one);
    await shop.settle();
    expect(await shop.differences()).toEqual({ lost: [], ghosts: [], doubled: [] });
  });

  it('after its marker: nobody decides, and it commits when it wakes', async () => {
    const key = 'slept after the marker';
    const { sleeper, answered } = await stopped(key, 'marker and half stored');
    const checker = await shop.launch(half);
    await within(60_000, 'a verdict', whenChecked(checker, 'unknown'));
    expect((await shop.halves()).length).toBeGreaterThan(0);
    sleeper.kill('SIGCONT');
    const [told] = (await within(60_000, 'its end', answered)) as unknown[];
    expect(told).toEqual({ placed: key });
    for (const one of [sleeper, checker]) await ended(one);
    await shop.settle();
    expect((await shop.orders()).has(key)).toBe(true);
    expect(await shop.differences()).toEqual({ lost: [], ghosts: [], doubled: [] });
  });
});

async function whenChecked(checker: ChildProcess, resolution: string) {
  for (;;) {
    const [told] = (await once(checker, 'message')) as [{ checked?: string }];
    if (told.checked === resolution) return;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  await once(child, 'exit');
}
