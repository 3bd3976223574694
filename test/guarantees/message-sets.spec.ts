import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { bodyOf } from '../contract/messages.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { within } from '../helpers/workload.js';

const SENDER = new URL('./programs/set-sender.mjs', import.meta.url);
const TOPICS = ['orders', 'audit', 'mails'];
const QUEUES = 4;
/** The first decides; each of the others is a half. */
const SET = [
  { topic: 'orders', body: 'a', queue: 0 },
  { topic: 'orders', body: 'b', queue: 1 },
  { topic: 'audit', body: 'c', queue: 0 },
  { topic: 'mails', body: 'd', queue: 3 },
  { topic: 'orders', body: 'e', queue: 0 },
];
/** Where the sender dies, and what must be there afterwards. */
const NOTHING = [
  'prepare 1 sent',
  'prepare 1 answered',
  'prepare 2 answered',
  'prepare 3 answered',
];
const ALL = [
  'publish 1 answered',
  'commit 1 sent',
  ...['commit 1 answered', 'commit 2 answered', 'commit 3 answered'],
];
/** Before its answer was read: the call was carried out, or it was not. */
const EITHER = ['publish 1 sent'];

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

async function visible(stores: RedisStores): Promise<string[]> {
  const places = TOPICS.flatMap((topic) =>
    Array.from({ length: QUEUES }, (_, queue) => ({ topic, queue })),
  );
  const logs = await Promise.all(
    places.map((place) => stores.log.range({ ...place, from: '-', to: '+', count: 1_000 })),
  );
  return logs
    .flat()
    .map(({ content }) => (content.kind === 'message' ? bodyOf(content.frame).toString() : '?'))
    .sort();
}

async function undecided(stores: RedisStores): Promise<number> {
  const places = TOPICS.flatMap((topic) =>
    Array.from({ length: QUEUES }, (_, queue) => ({ topic, queue })),
  );
  const counts = await Promise.all(places.map((place) => stores.halves.count(place)));
  return counts.reduce((sum, { waiting, parked }) => sum + waiting + parked, 0);
}

/** The sender dies at this point, then another process lives. @returns what is visible in the end. */
async function afterDeath(point: string): Promise<string[]> {
  const namespace = point.replaceAll(' ', '-');
  const stores = new RedisStores({ connection: redis.url, namespace });
  await stores.open(30_000);
  for (const topic of TOPICS) await stores.topics.declare(topic, { queues: QUEUES });
  const launch = (set: unknown, killAt = ''): ChildProcess =>
    fork(SENDER, [redis.url, JSON.stringify({ namespace, set })], {
      execArgv: [],
      env: { ...process.env, RIVULET_KILL_AT: killAt },
    });
  const victim = launch(SET, point);
  const [, signal] = (await within(60_000, `death: ${point}`, once(victim, 'exit'))) as unknown[];
  expect(signal).toBe('SIGKILL');
  const next = launch(undefined);
  await within(60_000, `an end: ${point}`, allDecided(next, stores));
  const seen = await visible(stores);
  next.disconnect();
  await once(next, 'exit');
  await stores.close();
  return seen;
}

/** Looks once the next process is ready, and after everything it tells. */
function allDecided(next: ChildProcess, stores: RedisStores): Promise<void> {
  return new Promise((resolve, reject) => {
    next.on('message', () => {
      undecided(stores).then((left) => left === 0 && resolve(), reject);
    });
  });
}

const everything = SET.map(({ body }) => JSON.stringify(body)).sort();

it('is all or nothing, and nothing twice, wherever its sender is killed', async () => {
  const ends = await Promise.all(
    [...NOTHING, ...ALL, ...EITHER].map(async (point) => [point, await afterDeath(point)] as const),
  );
  const seen = new Map(ends);
  console.log(
    `message-sets killed=${ends.length} all=${ends.filter(([, s]) => s.length > 0).length} nothing=${ends.filter(([, s]) => s.length === 0).length}`,
  );
  for (const point of NOTHING) expect([point, seen.get(point)]).toEqual([point, []]);
  for (const point of ALL) expect([point, seen.get(point)]).toEqual([point, everything]);
  for (const point of EITHER) expect([[], everything]).toContainEqual(seen.get(point));
});
