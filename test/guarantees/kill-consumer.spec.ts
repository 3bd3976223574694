import { setTimeout as pass } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Rivulet } from '../../lib/core/rivulet.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { seed as newSeed, seededRandom } from '../helpers/random.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { within } from '../helpers/workload.js';

const MESSAGES = Number(process.env['RIVULET_MESSAGES'] ?? 1_200);
const KILLS = Number(process.env['RIVULET_KILLS'] ?? 4);
/** All of them with RIVULET_LONG=1; each takes six seconds. */
const DEATHS = process.env['RIVULET_LONG']
  ? [
      ...['killed', 'exits', 'aborts', 'runs out of memory'],
      ...['throws where nobody catches', 'rejects where nobody handles it'],
    ]
  : ['killed', 'throws where nobody catches'];
const PROGRAM = new URL('./programs/consumer.mjs', import.meta.url);

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

it('handles every message although consumers are killed with deliveries in hand', async () => {
  const seed = newSeed();
  const random = seededRandom(seed);
  const facts = { namespace: 'kill', topic: 'orders', group: 'billing' };
  const producing = await publish(facts.namespace, MESSAGES);
  const fleet = new Fleet({
    program: PROGRAM,
    args: [redis.url, JSON.stringify({ ...facts, concurrency: 8, handlerMs: 15, maxAttempts: 3 })],
  });
  await Promise.all([fleet.launch(), fleet.launch(), fleet.launch()]);

  for (let kill = 1; kill <= KILLS; kill++) {
    await fleet.whenHandled(Math.floor((MESSAGES * kill) / (KILLS + 2)));
    await fleet.killOne(random);
    await fleet.launch();
  }
  await fleet.whenHandled(MESSAGES);
  // What was handled in a process that died before it could settle comes again.
  await within(60_000, 'the last settle', whenSettled(producing, facts)).catch(() => {});
  await fleet.stop();

  const lag = await lagOf(producing, facts);
  const again = [...fleet.handled.values()].filter((times) => times > 1).length;
  tellFigures('kill-consumer', {
    ...{ seed, sent: MESSAGES, handled: fleet.handled.size, lost: MESSAGES - fleet.handled.size },
    ...{ kills: fleet.kills, again, attemptsLost: fleet.attemptsLost, left: lag },
  });
  await producing.stop();
  expect(fleet.handled.size).toBe(MESSAGES);
  expect(fleet.kills).toBe(KILLS);
  expect(lag).toBe(0);
  // Only what was in hand when a process died can come again: eight at most for each.
  expect(again).toBeLessThanOrEqual(KILLS * 8);
  // A start cut off by a crash is not counted, unless the message ran alone: one at most for each crash.
  expect(fleet.attemptsLost).toBeLessThanOrEqual(KILLS);
  expect(fleet.deadLettered).toEqual([]);
});

it.each(DEATHS)(
  'dead-letters the message that ends its consumers (%s), and none of those beside it',
  async (death) => {
    const namespace = `poison-${death.replaceAll(' ', '-')}`;
    const facts = { namespace, topic: 'orders', group: 'billing' };
    const poison = '17';
    const maxAttempts = 3;
    const producing = await publish(facts.namespace, 60);
    const fleet = new Fleet({
      program: PROGRAM,
      stderr: 'ignore',
      env: { NODE_OPTIONS: '--max-old-space-size=64' },
      args: [
        redis.url,
        JSON.stringify({ ...facts, concurrency: 8, handlerMs: 15, maxAttempts, poison, death }),
      ],
    });
    // Whoever dies is replaced, until the poison message is given up and the rest is done.
    while (fleet.deadLettered.length === 0 || fleet.handled.size < 59) {
      // It may die before it is ready: then the next one is launched.
      if (fleet.size === 0) await fleet.launch().catch(() => undefined);
      else await fleet.change();
    }
    await fleet.stop();

    const starts = fleet.started.get(poison)?.length ?? 0;
    const dead = await deadLetters(producing, facts);
    tellFigures('poison', {
      ...{ death, sent: 60, handled: fleet.handled.size, deadLetters: dead, starts, maxAttempts },
    });
    await producing.stop();
    expect(fleet.handled.size).toBe(59);
    expect(fleet.handled.has(poison)).toBe(false);
    expect(dead).toBe(1);
    expect(starts).toBeLessThanOrEqual(maxAttempts + 1);
  },
);

async function publish(namespace: string, messages: number): Promise<Rivulet> {
  const producing = new Rivulet({
    stores: new RedisStores({ connection: redis.url, namespace }),
  });
  await producing.open();
  await Promise.all(
    Array.from({ length: messages }, (_, n) =>
      producing.producer.send('orders', { n }, { key: String(n) }),
    ),
  );
  return producing;
}

interface Facts {
  topic: string;
  group: string;
}

async function lags(producing: Rivulet, { topic, group }: Facts) {
  const { queues } = await producing.topics.get(topic);
  return Promise.all(
    Array.from({ length: queues }, (_, queue) =>
      producing.stores.deliveries.lag({ topic, queue, group }),
    ),
  );
}

async function lagOf(producing: Rivulet, facts: Facts): Promise<number> {
  const all = await lags(producing, facts);
  return all.reduce((sum, lag) => sum + (lag.undelivered ?? NaN) + lag.inFlight + lag.waiting, 0);
}

async function whenSettled(producing: Rivulet, facts: Facts): Promise<void> {
  while ((await lagOf(producing, facts)) > 0) await pass(50);
}

async function deadLetters(producing: Rivulet, facts: Facts): Promise<number> {
  const all = await lags(producing, facts);
  return all.reduce((sum, lag) => sum + lag.deadLetters, 0);
}
