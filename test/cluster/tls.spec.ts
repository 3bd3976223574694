import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Rivulet } from '../../lib/core/rivulet.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { startCluster, type TestCluster } from '../helpers/cluster.js';
import { Authority } from '../redis/helpers/certificates.js';
import { MutualTls, SOCKET } from '../redis/helpers/mutual-tls.js';

const QUEUES = 6;
const CONFIRMED = { acks: { replicas: 1, timeoutMs: 20_000 } } as const;

/** Its nodes have no port without TLS, and want a certificate of everybody; the operator comes by their sockets. */
describe('a cluster with mutual TLS', () => {
  const mutual = new MutualTls();
  const { trusted } = mutual;
  let cluster: TestCluster | undefined;

  beforeAll(async () => {
    cluster = await startCluster({
      socket: SOCKET,
      args: (port) => [...mutual.args(port), '--tls-cluster', 'yes'],
    });
  });
  afterAll(async () => {
    await cluster?.stop();
    mutual.remove();
  });

  const nodes = (): string[] => cluster!.url.split(',');

  it('carries messages to every node and back, and a primary that is killed loses none that was confirmed', async () => {
    const connection = { cluster: nodes().slice(0, 2), tls: trusted };
    const application = new Rivulet({
      stores: new RedisStores({ connection, namespace: 'tls' }),
      settings: { topics: { queues: QUEUES }, deadAfterMs: 15_000 },
    });
    await application.open();
    const handled = new Set<unknown>();
    const confirmed: string[] = [];
    application.subscribe({
      ...{ topic: 'orders', group: 'billing', origin: 'test' },
      handler: ({ body }) => void handled.add(body),
    });
    const queues = Array.from({ length: QUEUES }, (_, queue) => queue);
    const send = async (queue: number, body: string): Promise<void> => {
      await application.producer.send('orders', body, { queue, ...CONFIRMED });
      confirmed.push(body);
    };
    await Promise.all(queues.map((queue) => send(queue, `before-${queue}`)));

    const [victim, follower] = [cluster!.nodes[0]!, cluster!.nodes[3]!];
    await victim.kill('SIGKILL');
    const operator = new Redis(join(follower.dir, SOCKET));
    while ((await operator.role())[0] !== 'master') await pass(20);
    operator.disconnect();
    // Its followers are gone: what it takes from here on nobody can confirm.
    for (const queue of queues)
      await application.producer.send('orders', `after-${queue}`, { queue, timeoutMs: 20_000 });
    // Nobody has read what the victim confirmed: it comes from its follower, or never.
    await application.consume();
    const expected = [...confirmed, ...queues.map((queue) => `after-${queue}`)];
    while (!expected.every((body) => handled.has(body)))
      await Promise.race([application.events.next('acked'), pass(100)]);
    expect(confirmed).toHaveLength(QUEUES);
    await application.stop(5_000);
  });

  it('refuses who has no certificate', async () => {
    const connection = { cluster: nodes(), tls: { ca: trusted.ca } };
    const stores = new RedisStores({ connection, namespace: 'tls' });
    await expect(stores.open(700)).rejects.toThrow('was not ready within');
    await stores.close();
  });

  it('is refused when its certificates are of another CA', async () => {
    const other = new Authority();
    const connection = { cluster: nodes(), tls: { ...trusted, ca: other.root.cert } };
    other.remove();
    const stores = new RedisStores({ connection, namespace: 'tls' });
    await expect(stores.open(700)).rejects.toThrow('was not ready within');
    await stores.close();
  });
});
