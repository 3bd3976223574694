import type { Cluster } from 'ioredis';
import { planConnection } from '../../lib/redis/connection-options.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { clusterConnection, clusterOperator } from '../helpers/cluster.js';
import { sharedServer, waitForServer } from '../helpers/servers.js';
import { leastRights } from '../redis/helpers/acl.js';
import { entries, newNamespace, session } from '../redis/helpers/open-stores.js';

const NEVER = new AbortController().signal;

describe('a cluster', () => {
  let nodes: string;
  let operator: Cluster;
  let stores: RedisStores;
  const namespace = newNamespace();

  waitForServer('cluster');
  beforeAll(async () => {
    nodes = await sharedServer('cluster');
    operator = clusterOperator(nodes);
    await operator.ping(); // it knows which nodes are primaries once it is connected
    stores = new RedisStores({ connection: clusterConnection(nodes), namespace });
    await stores.open(30_000);
  });
  afterAll(async () => {
    await stores.close();
    operator.disconnect();
  });

  it('is named without its password', () => {
    const connection = {
      cluster: ['a:1', { host: 'b', port: 2 }],
      username: 'u',
      password: 'secret',
    };
    const { target } = planConnection({ namespace, connection }, () => {
      throw new Error('nothing connects here');
    });
    expect(target).toBe('the Redis Cluster at u:***@a:1, b:2');
  });

  it('is found through one of its nodes, a replica too', async () => {
    const replica = nodes.split(',').at(-1)!;
    const other = new RedisStores({ connection: { cluster: [replica] }, namespace });
    await other.open(30_000);
    await other.topics.declare('found', { queues: 1 });
    expect(await stores.topics.find('found')).toMatchObject({ queues: 1 });
    await other.close();
  });

  it('tells of every primary what it would lose', async () => {
    const { durability, problems } = await stores.health();
    expect(durability).toBe('none');
    expect(problems.map(({ code }) => code)).toEqual(Array(3).fill('NO_PERSISTENCE'));
    const primaries = nodes.split(',').slice(0, 3);
    for (const node of primaries)
      expect(problems.some(({ text }) => text.startsWith(`${node} of the Redis Cluster`))).toBe(
        true,
      );
  });

  it('spreads the queues of a topic over its primaries', async () => {
    const queues = Array.from({ length: 32 }, (_, queue) => queue);
    const { generation } = await stores.topics.declare('wide', { queues: queues.length });
    await Promise.all(
      queues.map((queue) =>
        stores.log.append(session('wide', generation, queue).call(entries('m'))),
      ),
    );
    const held = await Promise.all(
      operator
        .nodes('master')
        .map(async (node) => (await node.keys(`{${namespace}:wide:*}:log`)).length),
    );
    expect(held.reduce((sum, count) => sum + count)).toBe(queues.length);
    for (const count of held) expect(count).toBeGreaterThan(0);
  });

  it('tells how many replicas of the primary of a queue have a message', async () => {
    const queues = Array.from({ length: 8 }, (_, queue) => queue);
    const { generation } = await stores.topics.declare('acked', { queues: queues.length });
    const acks = { replicas: 1, disk: false, timeoutMs: 10_000 };
    const replies = await Promise.all(
      queues.map((queue) =>
        stores.log.append({ ...session('acked', generation, queue).call(entries('m')), acks }),
      ),
    );
    for (const reply of replies)
      expect(reply).toMatchObject({ state: 'appended', reached: { replicas: 1 } });
  });

  it('needs a few rights more of its user than one server does', async () => {
    const limited = newNamespace();
    const more = ['+cluster|slots', '+cluster|info', '+readonly', '+readwrite', '+asking'];
    const rules = ['on', '>secret', ...leastRights(limited), ...more];
    const all = operator.nodes();
    await Promise.all(all.map((node) => node.acl('SETUSER', limited, 'reset', ...rules)));
    const user = { username: limited, password: 'secret' };
    const connection = { ...clusterConnection(nodes), ...user };
    const own = new RedisStores({ connection, namespace: limited });
    await own.open(30_000);
    const { generation } = await own.topics.declare('orders', { queues: 8 });
    const queues = Array.from({ length: 8 }, (_, queue) => queue);
    await Promise.all(
      queues.map((queue) =>
        own.log.append(session('orders', generation, queue).call(entries('m'))),
      ),
    );
    await own.close();
    for (const node of all) {
      const log = (await node.acl('LOG')) as unknown as string[][];
      expect(log.filter((entry) => entry.includes(limited))).toEqual([]);
      await node.acl('DELUSER', limited);
    }
  });

  it('wakes a reader of more queues than it has connections for', async () => {
    const queues = Array.from({ length: 80 }, (_, queue) => ({ topic: 'many', queue }));
    const { generation } = await stores.topics.declare('many', { queues: queues.length });
    await stores.topics.joinGroup('many', {
      ...{ group: 'g', mode: 'unordered', filterDigest: '', from: 'earliest' },
    });
    const reader = stores.deliveries.openReader('g', 'c');
    const read = (): ReturnType<typeof reader.read> =>
      reader.read({ queues, perQueue: 1, blockMs: 5_000, signal: NEVER });
    for (const { queue } of [queues[0]!, queues.at(-1)!]) {
      let found = read();
      await stores.log.append(session('many', generation, queue).call(entries('m')));
      // Those beyond are asked once a second.
      while ((await found).length === 0) found = read();
      expect(await found).toMatchObject([{ queue }]);
    }
    await reader.close();
    const [waiting] = await operator
      .nodes('master')[0]!
      .info('clients')
      .then((info) => /blocked_clients:(\d+)/.exec(info)!.slice(1));
    expect(Number(waiting)).toBeLessThanOrEqual(64);
  });

  it('hands nothing to a reader whose wait was ended by another queue', async () => {
    const queues = [0, 1, 2, 3].map((queue) => ({ topic: 'few', queue }));
    const { generation } = await stores.topics.declare('few', { queues: queues.length });
    await stores.topics.joinGroup('few', {
      ...{ group: 'g', mode: 'unordered', filterDigest: '', from: 'earliest' },
    });
    const reader = stores.deliveries.openReader('g', 'c');
    const found = reader.read({ queues, perQueue: 1, blockMs: 5_000, signal: NEVER });
    const producers = queues.map(({ queue }) => session('few', generation, queue));
    await stores.log.append(producers[2]!.call(entries('first')));
    expect(await found).toMatchObject([{ queue: 2 }]);
    await Promise.all(producers.map((one) => stores.log.append(one.call(entries('later')))));
    const other = stores.deliveries.openReader('g', 'd');
    const rest = await other.read({ queues, perQueue: 9, blockMs: 0, signal: NEVER });
    expect(rest.map(({ queue }) => queue).sort()).toEqual([0, 1, 2, 3]);
    await Promise.all([reader.close(), other.close()]);
  });
});
