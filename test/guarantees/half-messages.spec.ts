import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createClient } from '@libsql/client';
import { Redis } from 'ioredis';
import { systemClock } from '../../lib/core/runtime/clock.js';
import { StoreTime } from '../../lib/core/store/store-time.js';
import type { HalfPlace } from '../../lib/core/transaction/half-place.js';
import { HalfSender } from '../../lib/core/transaction/half-sender.js';
import type { HalfMessages } from '../../lib/core/store/half-message-store.js';
import { libsqlParticipant } from '../../lib/participants/libsql.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { halfOf, newTransaction } from '../contract/halves.js';
import { bodyOf, generationOf } from '../contract/messages.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { within } from '../helpers/workload.js';

const TRANSACTIONS = Number(process.env['RIVULET_HALVES'] ?? 600);
const QUEUES = 4;
const LEASE_MS = 1_500;
const CHECKER = new URL('./programs/checker.mjs', import.meta.url);

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

async function openStores(url: string, namespace: string): Promise<RedisStores> {
  const stores = new RedisStores({ connection: url, namespace });
  await stores.open(30_000);
  return stores;
}

function senderFor(stores: RedisStores): HalfSender {
  return new HalfSender({
    halves: stores.halves,
    clock: systemClock,
    storeTime: new StoreTime({ clock: systemClock }),
    noteRelease: () => undefined,
    onError: () => undefined,
  });
}

/** Bodies that consumers can see, with the number of times they can. */
async function visible(stores: RedisStores): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for (let queue = 0; queue < QUEUES; queue++) {
    const range = { topic: 'orders', queue, from: '-', to: '+', count: 100_000 };
    for (const { content } of await stores.log.range(range)) {
      if (content.kind !== 'message') continue;
      const body = bodyOf(content.frame).toString();
      times.set(body, (times.get(body) ?? 0) + 1);
    }
  }
  return times;
}

it('appends what was committed, once, while connections are cut and Redis forgets its scripts', async () => {
  const seed = newSeed();
  const random = seededRandom(seed);
  const proxy = await TcpProxy.inFrontOf(redis.port);
  const operator = new Redis(redis.url);
  const direct = await openStores(redis.url, 'cut');
  await direct.topics.declare('orders', { queues: QUEUES });
  const generation = await generationOf(direct, 'orders');
  const owner = { kind: 'database', database: 'db-1', name: 'default' } as const;
  const stores = await openStores(proxy.url, 'cut');
  const sender = senderFor(stores);
  proxy.cutConnections(() =>
    random() < 0.5
      ? { direction: 'request', cutAfterBytes: Math.floor(400 + random() * 12_000) }
      : { direction: 'reply', cutAfterBytes: Math.floor(4_000 + random() * 6_000) },
  );
  proxy.cutNow();

  const committed = new Set<string>();
  const unfinished: { place: HalfPlace; half: HalfMessages; commits: boolean }[] = [];
  const one = async (n: number): Promise<void> => {
    const half = halfOf([`${n}`], { id: newTransaction(Date.now()) });
    const place = { topic: 'orders', queue: n % QUEUES, generation, owner };
    const commits = random() < 0.7;
    try {
      const { state } = await sender.prepare(place, half, 2_000);
      expect(state).toBe('prepared');
      // From here on it is decided, whatever the store says.
      if (commits) committed.add(`${n}`);
      if (!commits) await sender.rollback(place, half.id);
      // Twice: as an owner and a checker that do not know of each other.
      else await Promise.all([sender.commit(place, half), sender.commit(place, half)]);
    } catch {
      unfinished.push({ place, half, commits: committed.has(`${n}`) });
    }
  };
  const flushing = (async () => {
    for (let i = 0; i < 20; i++) await operator.script('FLUSH');
  })();
  for (let n = 0; n < TRANSACTIONS; n += 50)
    await Promise.all(Array.from({ length: 50 }, (_, i) => one(n + i)));
  await flushing;
  proxy.heal();
  // What an outbox and a back-check do for those whose fate the owner does not know.
  const cold = senderFor(direct);
  for (const { place, half, commits } of unfinished)
    await (commits ? cold.publish(place, half) : cold.rollback(place, half.id));

  const seen = await visible(direct);
  const lost = [...committed].filter((n) => !seen.has(n));
  const ghosts = [...seen.keys()].filter((n) => !committed.has(n));
  const doubled = [...seen].filter(([, times]) => times > 1);
  console.log(
    `half-messages seed=${seed} transactions=${TRANSACTIONS} committed=${committed.size} cuts=${proxy.cuts} ` +
      `unfinished=${unfinished.length} lost=${lost.length} ghosts=${ghosts.length} doubled=${doubled.length}`,
  );
  expect({ lost, ghosts, doubled }).toEqual({ lost: [], ghosts: [], doubled: [] });
  for (let queue = 0; queue < QUEUES; queue++)
    expect(await direct.halves.count({ topic: 'orders', queue })).toEqual({
      waiting: 0,
      parked: 0,
    });
  expect(proxy.cuts).toBeGreaterThan(2);
  await Promise.all([stores.close(), direct.close(), proxy.close()]);
  operator.disconnect();
});

const POINTS = [
  ...['claimed', 'decided', 'commit sent', 'commit answered'],
  ...['rollback sent', 'rollback answered'],
];

it('leaves to another checker what one that is killed had not finished, wherever that was', async () => {
  expect(await Promise.all(POINTS.map(decidedAfterDeath))).toEqual(POINTS);
});

/** One transaction is committed, one is not; the owner of both is gone, and the first checker dies at this point. */
async function decidedAfterDeath(point: string): Promise<string> {
  const namespace = point.replace(' ', '-');
  const file = join(redis.dir, `${namespace}.db`);
  const client = createClient({ url: `file:${file}` });
  await client.execute('PRAGMA journal_mode = WAL');
  const participant = libsqlParticipant(client);
  await participant.prepare();
  const stores = await openStores(redis.url, namespace);
  await stores.topics.declare('orders', { queues: QUEUES });
  const place = {
    topic: 'orders',
    queue: 0,
    generation: await generationOf(stores, 'orders'),
    owner: { kind: 'database', database: await participant.identity(), name: 'default' },
  } as const;
  const sender = senderFor(stores);
  const [kept, dropped] = ['kept', 'dropped'].map((body) =>
    halfOf([body], { id: newTransaction(Date.now()), checkAfterMs: 0 }),
  );
  const deadline = Date.now() + 60_000;
  await participant.run((tx) => participant.mark(tx, { id: kept!.id, deadline }));
  for (const half of [kept!, dropped!]) await sender.prepare(place, half, 5_000);

  const launch = (env: NodeJS.ProcessEnv): ChildProcess =>
    fork(CHECKER, [redis.url, JSON.stringify({ namespace, file, leaseMs: LEASE_MS })], {
      execArgv: [],
      env: { ...process.env, ...env },
    });
  const victim = launch({ RIVULET_KILL_AT: point });
  const [, signal] = (await within(60_000, `death: ${point}`, once(victim, 'exit'))) as unknown[];
  expect(signal).toBe('SIGKILL');
  const next = launch({});
  await within(60_000, `a decision: ${point}`, bothDecided(next, stores));
  expect(await visible(stores)).toEqual(new Map([['kept', 1]]));
  expect(await sender.commit(place, dropped!)).toMatchObject({ state: 'rolled-back' });
  next.disconnect();
  await once(next, 'exit');
  await stores.close();
  client.close();
  return point;
}

/** Looks once the checker is ready, and after everything it tells. */
function bothDecided(checker: ChildProcess, stores: RedisStores): Promise<void> {
  return new Promise((resolve, reject) => {
    checker.on('message', () => {
      stores.halves
        .count({ topic: 'orders', queue: 0 })
        .then(({ waiting }) => waiting === 0 && resolve(), reject);
    });
  });
}
