import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Keys } from '../../lib/redis/keys.js';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, whenStored } from '../helpers/workload.js';

const TENANTS = 5;
const EACH = Number(process.env['RIVULET_MESSAGES'] ?? 400) / TENANTS;
const MAX = 2;
/** As the program sets it. */
const CLAIM_LEASE_MS = 1_500;
const PROGRAM = new URL('./programs/per-key-consumer.mjs', import.meta.url);
const [namespace, topic, group] = ['per', 'orders', 'billing'];

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

/** What a dead process was at runs no more; its permits are not free yet. */
async function buryOne(fleet: Fleet, random: () => number): Promise<void> {
  const before = new Set(fleet.pids);
  await fleet.killOne(random);
  for (const pid of fleet.pids) before.delete(pid);
  // What it had sent is carried out before its connection is gone.
  const isHeard = async (): Promise<boolean> => {
    const clients = String(await operator.client('LIST'));
    return [...before].some((pid) => clients.includes(` name=runs-${pid} `));
  };
  await whenStored(async () => !(await isHeard()));
  for (let tenant = 0; tenant < TENANTS; tenant++) {
    const set = `running-t${tenant}`;
    for (const entry of await operator.smembers(set))
      if (before.has(Number(entry.split(' ')[0]))) await operator.srem(set, entry);
  }
}

it('never runs more handlers of one key than it may, in any process, and loses nothing, while processes are killed', async () => {
  const random = seededRandom(newSeed());
  const producing = connect(redis.url, namespace);
  await producing.open();
  const messages = TENANTS * EACH;
  await Promise.all(
    Array.from({ length: messages }, async (_, n) => {
      const properties = { tenant: `t${n % TENANTS}` };
      await producing.producer.send(topic, n, { key: `m${n}`, properties });
    }),
  );
  const fleet = new Fleet({
    program: PROGRAM,
    args: [redis.url, JSON.stringify({ namespace, topic, group, max: MAX, takesMs: 10 })],
  });
  const startedAt = performance.now();
  await Promise.all([fleet.launch(), fleet.launch(), fleet.launch()]);
  let lastKillAt = 0;
  for (const part of [0.25, 0.5]) {
    await fleet.whenHandled(messages * part);
    await buryOne(fleet, random);
    lastKillAt = Date.now();
    await fleet.launch();
  }
  await fleet.whenHandled(messages);
  const tookMs = Math.round(performance.now() - startedAt);
  await fleet.stop();
  const most = await operator.zrange('most', '0', '-1', 'WITHSCORES');
  tellFigures('concurrency-per', { messages, kills: fleet.kills, tookMs, most: most.join(' ') });
  // Waiting cost no attempt; a message that ran alone, after a crash, when its process was killed again, pays for it.
  expect(fleet.attemptsLost).toBeLessThanOrEqual(fleet.kills - 1);
  expect(most.filter((_, i) => i % 2 === 1).map(Number)).toEqual(Array(TENANTS).fill(MAX));
  // A clean stop leaves no permit behind; one of a process that was killed lasts as long as its lease.
  const left = await operator.keys(`${new Keys({ namespace }).permits({ topic, group }, '')}*`);
  const lines = await Promise.all(left.map(async (key) => (await operator.get(key)) ?? ''));
  const heldUntil = lines
    .flatMap((text) => [...text.matchAll(/^h \S+ \d+ (\d+)$/gm)])
    .map(([, until]) => Number(until));
  expect(heldUntil.filter((until) => until > lastKillAt + CLAIM_LEASE_MS)).toEqual([]);
  await producing.stop();
});
