import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startRedis, type TestRedis } from './redis.js';

export interface TestCluster {
  nodes: TestRedis[];
  /** For `new Cluster(seeds)`. */
  seeds: { host: string; port: number }[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const MASTERS = 3;

/** Three masters that share the slots, without replicas: a command that crosses slots or goes astray fails here. */
export async function startRedisCluster(): Promise<TestCluster> {
  const nodes = await Promise.all(
    Array.from({ length: MASTERS }, () => startRedis({ args: ['--cluster-enabled', 'yes'] })),
  );
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())));
  const admins = nodes.map((node) => new Redis(node.url));
  try {
    await formCluster(admins, nodes);
  } catch (error) {
    await stop();
    throw error;
  } finally {
    for (const admin of admins) admin.disconnect();
  }
  return { nodes, seeds: nodes.map(({ port }) => ({ host: '127.0.0.1', port })), stop };
}

async function formCluster(admins: Redis[], nodes: TestRedis[]): Promise<void> {
  const firstSlot = (index: number) => Math.ceil((index * SLOTS) / MASTERS);
  for (const [index, admin] of admins.entries()) {
    await admin.cluster('ADDSLOTSRANGE', firstSlot(index), firstSlot(index + 1) - 1);
    await admin.cluster('SET-CONFIG-EPOCH', index + 1); // equal ones would be fought over after meeting
  }
  for (const { port } of nodes.slice(1)) await admins[0]!.cluster('MEET', '127.0.0.1', port);

  const giveUpAt = Date.now() + 20_000;
  while (!(await Promise.all(admins.map(seesAll))).every(Boolean)) {
    if (Date.now() > giveUpAt) throw new Error('The cluster did not form within 20 s');
    await sleep(50);
  }
}

async function seesAll(admin: Redis): Promise<boolean> {
  const info = await admin.cluster('INFO');
  return info.includes('cluster_state:ok') && info.includes(`cluster_size:${MASTERS}\r`);
}
