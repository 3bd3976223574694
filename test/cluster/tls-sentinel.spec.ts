import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Rivulet } from '../../lib/core/rivulet.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { startSentinel, type TestSentinel } from '../helpers/sentinel.js';
import { Authority } from '../redis/helpers/certificates.js';

const SOCKET = 'operator.sock';

/** Neither the servers nor the Sentinels have a port without TLS; the operator comes by their sockets. */
describe('Sentinels and servers with mutual TLS', () => {
  const authority = new Authority();
  const node = authority.sign('127.0.0.1');
  const client = authority.sign('client');
  const trusted = { ca: authority.root.cert, cert: client.cert, key: client.key };
  let fleet: TestSentinel;

  beforeAll(async () => {
    const files = ['--tls-cert-file', node.certFile, '--tls-key-file', node.keyFile];
    const asked = ['--tls-ca-cert-file', authority.root.certFile, '--tls-auth-clients', 'yes'];
    fleet = await startSentinel({
      tls: {
        socket: SOCKET,
        args: (port) => [
          ...['--port', '0', '--tls-port', String(port), '--tls-replication', 'yes'],
          ...[...files, ...asked],
        ],
      },
    });
  }, 60_000);
  afterAll(async () => {
    await fleet.stop();
    authority.remove();
  });

  it('lead to the server that follows one that is killed, with all that was confirmed', async () => {
    const connection = {
      ...fleet.connection,
      ...{ tls: trusted, sentinelTLS: trusted, enableTLSForSentinelMode: true },
    };
    const application = new Rivulet({
      stores: new RedisStores({ connection, namespace: 'tls' }),
      settings: { topics: { queues: 1 }, producer: { acks: { replicas: 2 } } },
    });
    await application.open();
    await application.producer.send('orders', 'before');
    const [master, ...followers] = fleet.nodes;
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
  }, 60_000);

  it('are not asked by who has no certificate', async () => {
    const tls = { ca: trusted.ca };
    const connection = {
      ...fleet.connection,
      ...{ tls, sentinelTLS: tls, enableTLSForSentinelMode: true },
    };
    const stores = new RedisStores({ connection, namespace: 'tls' });
    await expect(stores.open(700)).rejects.toThrow('was not ready within');
    await stores.close();
  });
});
