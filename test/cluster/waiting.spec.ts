import type { Cluster } from 'ioredis';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import {
  clusterConnection,
  clusterOperator,
  startCluster,
  type TestCluster,
} from '../helpers/cluster.js';
import { slotOf } from '../helpers/slots.js';
import { entries, newNamespace, session } from '../redis/helpers/open-stores.js';

const QUEUES = 12;
const SERVED_WITHIN_MS = 60_000;
const { signal } = new AbortController();

describe('who waits for queues on several nodes', () => {
  const namespace = newNamespace();
  const keys = new Keys({ namespace });
  let cluster: TestCluster;
  let operator: Cluster;
  let stores: RedisStores;
  let generation: number;
  const orders = Array.from({ length: QUEUES }, (_, queue) => ({ topic: 'orders', queue }));

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
    operator = clusterOperator(cluster.url);
    const connection = clusterConnection(cluster.url);
    stores = new RedisStores({ connection, namespace, blockMs: 200 });
    await stores.open(30_000);
    ({ generation } = await stores.topics.declare('orders', { queues: QUEUES }));
    await stores.topics.declare('returns', { queues: 1 });
    await stores.topics.joinGroup('orders', {
      ...{ group: 'g', mode: 'unordered', filterDigest: '', from: 'earliest' },
    });
    // Its first map comes once it is connected.
    const isKnown = (ref: (typeof orders)[0]) => operator.slots[slotOf(keys.queue(ref).log)]?.[0];
    while (!orders.every(isKnown))
      await new Promise<void>((resolve) => operator.refreshSlotsCache(() => resolve()));
  });
  afterAll(async () => {
    await stores.close();
    operator.disconnect();
    await cluster.stop();
  });

  async function waitingConnections(): Promise<number> {
    const lists = await Promise.all(operator.nodes('master').map((node) => node.client('LIST')));
    return String(lists).split(`name=rivulet:${namespace}:blocking`).length - 1;
  }

  const fromStart = (queues: typeof orders) => queues.map((ref) => ({ ...ref, after: '0-0' }));
  /** What it finds once it is served: connections come and go. */
  async function onceServed<T>(ask: () => Promise<T[]>): Promise<T[]> {
    const until = performance.now() + SERVED_WITHIN_MS;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (performance.now() >= until) throw error;
        await new Promise(setImmediate);
      }
    }
  }
  const publish = (queue: number) =>
    stores.log.append(session('orders', generation, queue).call(entries('a')));

  it('finds nothing in a wait that is over before its connections are there', async () => {
    const bell = stores.leases.openDoorbell();
    expect(await bell.wait({ positions: fromStart(orders), blockMs: 1, signal })).toEqual([]);
    await bell.close();
  });

  it('gives up the connections of queues that are not waited for any more', async () => {
    const bell = stores.leases.openDoorbell();
    const wait = (queues: typeof orders) =>
      bell.wait({ positions: fromStart(queues), blockMs: 50, signal });
    while ((await waitingConnections()) < QUEUES) await onceServed(() => wait(orders));
    // Those of a topic that is removed are never asked for again.
    const others = [{ topic: 'returns', queue: 0 }];
    while ((await waitingConnections()) > 1) await onceServed(() => wait(others));
    expect(await onceServed(() => wait(orders))).toEqual([]);
    await bell.close();
  });

  it('ends a wait that is told so in the moment it begins', async () => {
    const { generation: ofReturns } = await stores.topics.declare('returns', { queues: 1 });
    const bell = stores.leases.openDoorbell();
    const wait = (until: AbortSignal, blockMs: number) =>
      bell.wait({
        ...{ positions: [{ topic: 'returns', queue: 0, after: '0-0' }], signal: until },
        blockMs,
      });
    expect(await onceServed(() => wait(signal, 50))).toEqual([]);
    const end = new AbortController();
    const ended = wait(end.signal, SERVED_WITHIN_MS);
    end.abort();
    await stores.log.append(session('returns', ofReturns, 0).call(entries('a')));
    // Who still waited would hear of it.
    expect(await ended).toEqual([]);
    await bell.close();
  });

  it('hears of what other nodes have while one is down', async () => {
    const owner = (queue: number): number => {
      const slot = slotOf(keys.queue(orders[queue]!).log);
      return cluster.nodes.findIndex(({ port }) => operator.slots[slot]![0]!.endsWith(`:${port}`));
    };
    const down = cluster.nodes[owner(0)]!;
    const living = orders.find(({ queue }) => owner(queue) !== owner(0))!;
    const bell = stores.leases.openDoorbell();
    const reader = stores.deliveries.openReader('g', 'c');
    const ring = () => bell.wait({ positions: fromStart(orders), blockMs: 100, signal });
    const read = () => reader.read({ queues: orders, perQueue: 1, blockMs: 100, signal });
    while ((await waitingConnections()) < 2 * QUEUES)
      await Promise.all([onceServed(ring), onceServed(read)]);
    await down.kill('SIGKILL');
    expect(await onceServed(ring)).toEqual([]);
    expect(await onceServed(read)).toEqual([]);
    await publish(living.queue);
    let [rung, found] = [await onceServed(ring), await onceServed(read)];
    while (rung.length === 0) rung = await onceServed(ring);
    while (found.length === 0) found = await onceServed(read);
    expect([rung, found]).toMatchObject([[living], [living]]);
    await Promise.all([bell.close(), reader.close()]);
  });
});
