import type { Cluster } from 'ioredis';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { clusterConnection, clusterOperator } from '../helpers/cluster.js';
import { sharedServer, waitForServer } from '../helpers/servers.js';
import { ownersOf, slotOf } from '../helpers/slots.js';
import { TcpProxy } from '../helpers/tcp-proxy.js';
import { whenStored } from '../helpers/workload.js';
import { entries, newNamespace, session } from '../redis/helpers/open-stores.js';

const QUEUES = Array.from({ length: 6 }, (_, queue) => ({ topic: 'orders', queue }));
const BEHIND = QUEUES[0]!;
const { signal } = new AbortController();

waitForServer('cluster');

it('a reader of several nodes tells that the reply of one was lost, although its read went well', async () => {
  const namespace = newNamespace();
  const nodes = await sharedServer('cluster');
  const operator: Cluster = clusterOperator(nodes);
  await operator.ping();
  const slot = slotOf(new Keys({ namespace }).queue(BEHIND).log);
  const [node] = await ownersOf(operator, slot);
  const port = node.options.port!;
  const wire = await TcpProxy.inFrontOf(port);
  const natMap = { [`127.0.0.1:${port}`]: { host: '127.0.0.1', port: wire.port } };
  const open = async (more: object): Promise<RedisStores> => {
    const connection = { ...clusterConnection(nodes), ...more };
    const stores = new RedisStores({ connection, namespace, blockMs: 4_000 });
    await stores.open(30_000);
    return stores;
  };
  const [stores, reading] = [await open({}), await open({ natMap })];
  const { generation } = await stores.topics.declare('orders', { queues: QUEUES.length });
  await stores.topics.joinGroup('orders', {
    ...{ group: 'billing', mode: 'unordered', filterDigest: '', from: 'earliest' },
  });
  const reader = reading.deliveries.openReader('billing', 'me');
  let lost = 0;
  reader.onLostReply = () => void (lost += 1);
  const read = (blockMs: number) =>
    reader.read({ queues: QUEUES, perQueue: 1, blockMs, signal }).catch(() => []);
  const isWaiting = async (): Promise<boolean> =>
    String(await node.client('LIST'))
      .split('\n')
      .some(
        (line) =>
          line.includes(`:${namespace}:blocking `) && / flags=b\S* .* cmd=xreadgroup /.test(line),
      );

  const underWay = read(4_000);
  await whenStored(isWaiting);
  wire.swallowExisting('reply');
  await stores.log.append(session('orders', generation, BEHIND.queue).call(entries('a')));
  const inFlight = async (): Promise<number | null> =>
    (await stores.deliveries.lag({ ...BEHIND, group: 'billing' })).inFlight;
  await whenStored(async () => (await inFlight()) === 1);
  expect(lost).toBe(0);
  wire.cutNow();
  expect(await underWay).toEqual([]);
  expect(lost).toBe(1);

  await reader.close();
  await Promise.all([stores.close(), reading.close(), wire.close()]);
  operator.disconnect();
});
