import { setTimeout as pass } from 'node:timers/promises';
import type { Cluster } from 'ioredis';
import { Keys } from '../../lib/redis/keys.js';
import {
  clusterConnection,
  clusterOperator,
  startCluster,
  type TestCluster,
} from '../helpers/cluster.js';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { seed as newSeed } from '../helpers/random.js';
import { promoted } from '../helpers/sentinel.js';
import { moveSlot, pairOf, slotOf } from '../helpers/slots.js';
import { Traffic } from '../helpers/traffic.js';

/** Long: RIVULET_MOVES=10 RIVULET_HALF_SECONDS=20. */
const MOVES = Number(process.env['RIVULET_MOVES'] ?? 1);
const HALF_MS = Number(process.env['RIVULET_HALF_SECONDS'] ?? 1) * 1_000;

let cluster: TestCluster;
let operator: Cluster;

beforeAll(async () => {
  cluster = await startCluster();
  operator = clusterOperator(cluster.url);
});
afterAll(async () => {
  operator.disconnect();
  await cluster.stop();
});

function slotOfQueue(namespace: string): number {
  return slotOf(new Keys({ namespace }).queue({ topic: 'orders', queue: 0 }).log);
}

it('slots that move there and back under load cost nothing', async () => {
  const seed = newSeed();
  const namespace = 'moves';
  const connection = clusterConnection(cluster.url);
  const traffic = await Traffic.start({ seed, directUrl: connection, namespace });
  traffic.history.broken();
  for (let move = 0; move < MOVES * 2; move++) {
    await moveSlot(operator, slotOfQueue(namespace));
    await traffic.whenNewsFlow();
  }
  await traffic.healed();
  const ending = await traffic.finish();
  tellFigures('cluster-moves', { seed, moves: MOVES * 2, ...figuresOf(ending) });
  expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
});

it('a slot that is half moved delays its queue and nothing else', async () => {
  const seed = newSeed();
  const namespace = 'half';
  const connection = clusterConnection(cluster.url);
  const traffic = await Traffic.start({ seed, directUrl: connection, namespace });
  traffic.history.broken();
  await moveSlot(operator, slotOfQueue(namespace), () => pass(HALF_MS));
  await traffic.healed();
  const ending = await traffic.finish();
  tellFigures('cluster-half-moved', { seed, halfMs: HALF_MS, ...figuresOf(ending) });
  expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
});

it('a primary that is killed is followed by its replica, which has all that was confirmed', async () => {
  const seed = newSeed();
  const namespace = 'killed';
  const connection = clusterConnection(cluster.url);
  const traffic = await Traffic.start({ seed, directUrl: connection, namespace, replicas: 1 });
  const { nodes } = cluster;
  const { node, follower } = await pairOf({ nodes, operator }, slotOfQueue(namespace));
  traffic.history.broken();
  const killedAt = performance.now();
  await node.kill('SIGKILL');
  await promoted(follower);
  const promotedMs = Math.round(performance.now() - killedAt);
  // Until there is a replica again, nobody can confirm what the new primary stores.
  await node.restart();
  await traffic.whenEveryLaneMoves();
  const backMs = Math.round(performance.now() - killedAt);
  await traffic.healed();
  const ending = await traffic.finish();
  tellFigures('cluster-primary-killed', { seed, promotedMs, backMs, ...figuresOf(ending) });
  expect(ending).toMatchObject({ ...FLAWLESS, left: 0, deadLetters: 0 });
});
