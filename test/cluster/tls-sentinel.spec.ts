import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Rivulet } from '../../lib/core/rivulet.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { startSentinel, type TestSentinel } from '../helpers/sentinel.js';
import { MutualTls, SOCKET } from '../redis/helpers/mutual-tls.js';

/** Neither the servers nor the Sentinels have a port without TLS; the operator comes by their sockets. */
describe('Sentinels and servers with mutual TLS', () => {
  const mutual = new MutualTls();
  const { trusted } = mutual;
  let fleet: TestSentinel | undefined;

  beforeAll(async () => {
    fleet = await startSentinel({
      tls: { socket: SOCKET, args: (port) => mutual.args(port) },
    });
  });
  afterAll(async () => {
    await fleet?.stop();
    mutual.remove();
  });

  it('lead to the server that follows one that is killed, with all that was confirmed', async () => {
    const connection = {
      ...fleet!.connection,
      ...{ tls: trusted, sentinelTLS: trusted, enableTLSForSentinelMode: true },
    };
    const application = new Rivulet({
      stores: new RedisStores({ connection, namespace: 'tls' }),
      settings: { topics: { queues: 1 }, producer: { acks: { replicas: 2 } } },
    });
    await application.open();
    await application.producer.send('orders', 'before');
    const [master, ...followers] = fleet!.nodes;
    await master!.kill('SIGKILL');
    const operators = followers.map(({ dir }) => new Redis(join(dir, SOCKET)));
    const isPromoted = async (): Promise<boolean> =>
      (await Promise.all(operators.map((operator) => operator.role()))).some(
        ([role]) => role === 'master',
      );
    while (!(await isPromoted())) await pass(20);
    for (const operator of operators) operator.disconnect();
    await application.producer.send('orders', 'after', { acks: 'memory', timeoutMs: 20_000 });
    const handled: unknown[] = [];
    const both = new Promise<void>((resolve) =>
      application.subscribe({
        ...{ topic: 'orders', group: 'billing', origin: 'test' },
        handler: ({ body }) => {
          if (handled.push(body) === 2) resolve();
        },
      }),
    );
    await application.consume();
    await both;
    expect(handled).toEqual(['before', 'after']);
    await application.stop(5_000);
  });

  it('are not asked by who has no certificate', async () => {
    const tls = { ca: trusted.ca };
    const connection = {
      ...fleet!.connection,
      ...{ tls, sentinelTLS: tls, enableTLSForSentinelMode: true },
    };
    const stores = new RedisStores({ connection, namespace: 'tls' });
    await expect(stores.open(700)).rejects.toThrow('was not ready within');
    await stores.close();
  });
});
