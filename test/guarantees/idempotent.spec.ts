import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Keys } from '../../lib/redis/keys.js';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, publishMany, whenAllSettled } from '../helpers/workload.js';

const MESSAGES = Number(process.env['RIVULET_MESSAGES'] ?? 600);
const PROGRAM = new URL('./programs/idempotent-consumer.mjs', import.meta.url);
const TOPIC = 'orders';
const GROUP = 'billing';

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

function fleetOf(namespace: string, fate: { dieOf?: string; dieAt?: string } = {}): Fleet {
  const facts = { namespace, topic: TOPIC, group: GROUP, ...fate };
  return new Fleet({ program: PROGRAM, args: [redis.url, JSON.stringify(facts)] });
}

/** Every message that was ever published is handed to the group again, as if nothing had been settled. */
async function redeliverAll(namespace: string, queues: number): Promise<void> {
  const keys = new Keys({ namespace });
  for (let queue = 0; queue < queues; queue++)
    await operator.xgroup('SETID', keys.queue({ topic: TOPIC, queue }).log, GROUP, '0');
}

async function effectsOf(namespace: string): Promise<Map<string, number>> {
  const counts = await operator.hgetall(`${namespace}-effects`);
  return new Map(Object.entries(counts).map(([key, count]) => [key, Number(count)]));
}

it('makes as many effects as there are messages, although each is delivered again and consumers are killed', async () => {
  const random = seededRandom(newSeed());
  const namespace = 'again';
  const producing = connect(redis.url, namespace);
  await publishMany(producing, MESSAGES);
  const { queues } = await producing.topics.get(TOPIC);
  const fleet = fleetOf(namespace);
  await Promise.all([fleet.launch(), fleet.launch()]);
  await fleet.whenHandled(MESSAGES / 3);
  await fleet.killOne(random);
  await fleet.launch();
  await whenAllSettled(producing, { topic: TOPIC, group: GROUP });
  // Whatever was handled twice was so because its handler was killed before it could be recorded.
  const before = await effectsOf(namespace);

  await redeliverAll(namespace, queues);
  await fleet.whenDuplicates(MESSAGES);
  await fleet.stop();
  const after = await effectsOf(namespace);
  const twice = [...after.values()].filter((count) => count > 1).length;
  tellFigures('idempotent', {
    ...{ sent: MESSAGES, effects: [...after.values()].reduce((a, b) => a + b, 0), again: twice },
    ...{ duplicates: fleet.duplicates.size, kills: fleet.kills },
  });
  await producing.stop();
  expect(after.size).toBe(MESSAGES);
  expect(after).toEqual(before);
  // At most what was in hand of the one that was killed.
  expect(twice).toBeLessThanOrEqual(8);
});

it.each([
  { dieAt: 'after-complete', effects: 1 },
  // Between the effect and its record nothing but the handler's own store can tell: documented as such.
  { dieAt: 'before-complete', effects: 2 },
])(
  'handles a message $effects × whose consumer was killed $dieAt, and every other once',
  async ({ dieAt, effects }) => {
    const namespace = dieAt;
    const producing = connect(redis.url, namespace);
    const dieOf = 'm7';
    await producing.open();
    await producing.topics.get(TOPIC);
    const doomed = fleetOf(namespace, { dieOf, dieAt });
    await doomed.launch();
    await producing.producer.send(TOPIC, {}, { key: dieOf });
    while (doomed.size > 0) await doomed.change();

    const others = fleetOf(namespace);
    await others.launch();
    await publishMany(producing, 30, { prefix: 'other' });
    await others.whenHandled(30 + (effects - 1));
    if (effects === 1) await others.whenDuplicates(1);
    await others.stop();
    await producing.stop();
    const counts = await effectsOf(namespace);
    expect(counts.get(dieOf)).toBe(effects);
    counts.delete(dieOf);
    expect([...counts.values()]).toEqual(Array.from({ length: 30 }, () => 1));
  },
);
