import { type Cluster, Redis } from 'ioredis';
import { silentLogger } from '../../lib/core/runtime/logger.js';
import type { QueueRef } from '../../lib/core/store/refs.js';
import { AckedQueues } from '../../lib/redis/acked-queues.js';
import { planConnection } from '../../lib/redis/connection-options.js';
import { Connections } from '../../lib/redis/connections.js';
import { Keys } from '../../lib/redis/keys.js';
import { clusterConnection, clusterOperator } from '../helpers/cluster.js';
import { sharedServer, waitForServer } from '../helpers/servers.js';
import { whenStored } from '../helpers/workload.js';
import { newNamespace } from '../redis/helpers/open-stores.js';

const ONE = { disk: false, replicas: 1, timeoutMs: 10_000 };
const IDLE_MS = 200;
const [BUSY, GONE]: QueueRef[] = [
  { topic: 'orders', queue: 0 },
  { topic: 'removed', queue: 0 },
];

waitForServer('cluster');

it('a connection for acks of a queue that nobody writes to any more is given up, one in use is not', async () => {
  const namespace = newNamespace();
  const nodes = await sharedServer('cluster');
  const operator: Cluster = clusterOperator(nodes);
  await operator.ping(); // it knows the nodes once it is connected
  const connection = clusterConnection(nodes);
  const plan = planConnection({ namespace, connection }, (options) => new Redis(options));
  const connections = new Connections({ plan, logger: silentLogger, now: undefined });
  const keys = new Keys({ namespace });
  await connections.open(10_000, { allowEviction: false, anyKey: keys.topics });
  const acked = new AckedQueues({ connections, keys, idleMs: IDLE_MS });
  const write = (ref: QueueRef, begin?: () => Promise<void>) =>
    acked.of(ref).run(ONE, {
      work: async ({ redis }) => {
        await begin?.();
        return { said: await redis.set(keys.queue(ref).probe, '1') };
      },
      wrote: () => true,
    });
  const waiting = async (): Promise<number> => {
    const lists = await Promise.all(operator.nodes('master').map((node) => node.client('LIST')));
    return String(lists).split(`name=rivulet:${namespace}:blocking`).length - 1;
  };

  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let underWay: Promise<unknown> | undefined;
  await new Promise<void>((begun) => {
    underWay = write(BUSY!, () => (begun(), gate));
  });
  expect(await write(GONE!)).toMatchObject({ reached: { replicas: 1 } });
  await whenStored(async () => (await waiting()) === 1);
  release();
  expect(await underWay).toMatchObject({ said: 'OK', reached: { replicas: 1 } });
  await whenStored(async () => (await waiting()) === 0);
  expect(await write(BUSY!)).toMatchObject({ reached: { replicas: 1 } });

  acked.close();
  connections.close();
  operator.disconnect();
});
