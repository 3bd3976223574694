import { once } from 'node:events';
import { Redis, type RedisOptions } from 'ioredis';
import net from 'node:net';
import { TLSSocket } from 'node:tls';
import { Rivulet } from '../../lib/core/rivulet.js';
import type { RedisFactory } from '../../lib/redis/connection-factory.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { whenStored } from '../helpers/workload.js';
import { Authority } from './helpers/certificates.js';
import { SOCKET } from './helpers/mutual-tls.js';

describe('TLS', () => {
  const authority = new Authority();
  const client = authority.sign('client');
  const servers: TestRedis[] = [];
  let port: number;

  beforeAll(async () => {
    port = await serve(authority.sign('127.0.0.1'));
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    authority.remove();
  });

  /** A server that wants certificates of its clients, too. */
  async function serve({ certFile, keyFile }: { certFile: string; keyFile: string }) {
    const server = await startRedis({
      socket: SOCKET,
      args: (tlsPort) => [
        ...['--port', '0', '--tls-port', String(tlsPort), '--tls-auth-clients', 'yes'],
        ...['--tls-cert-file', certFile, '--tls-key-file', keyFile],
        ...['--tls-ca-cert-file', authority.root.certFile],
      ],
    });
    servers.push(server);
    return server.port;
  }

  const trusted = { ca: authority.root.cert, cert: client.cert, key: client.key };

  /** What is said to whoever has waited until it failed once. */
  async function failure(connection: RedisOptions): Promise<string> {
    const stores = new RedisStores({ connection, namespace: 'shop' });
    const opening = stores.open(20_000).catch(() => undefined);
    await whenStored(async () => stores.availability.why !== undefined);
    const error = await stores.open(1).catch((reason: unknown) => reason);
    await stores.close();
    await opening;
    return String(error);
  }

  it('encrypts every connection: commands, readers, acks', async () => {
    const made: Redis[] = [];
    const connection: RedisFactory = (_role, options) => {
      const redis = new Redis({ ...options, host: '127.0.0.1', port, tls: trusted });
      made.push(redis);
      return redis;
    };
    const application = new Rivulet({ stores: new RedisStores({ connection, namespace: 'shop' }) });
    await application.open();
    const handled = new Promise((resolve) =>
      application.subscribe({
        topic: 'orders',
        group: 'billing',
        origin: 'test',
        handler: ({ body }) => resolve(body),
      }),
    );
    await application.consume();
    const acks = { replicas: 1, timeoutMs: 1 };
    await application.producer.send('orders', 'lone', { acks }).catch(() => {});
    expect(await handled).toBe('lone');
    expect(made.length).toBeGreaterThanOrEqual(3);
    for (const { stream } of made)
      expect(stream instanceof TLSSocket && stream.encrypted && stream.authorized).toBe(true);
    await application.stop(5_000);
  });

  it('that a server does not speak is named as what may be wrong', async () => {
    const silent = net.createServer((socket) => void socket.resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port: plain } = silent.address() as net.AddressInfo;
    const options = { host: '127.0.0.1', port: plain, tls: trusted, connectTimeout: 100 };
    expect(await failure(options)).toMatch(/rediss:.*speak no TLS/);
    silent.close();
  });

  it('that a server does not speak is named also to whoever waits for less than its client does', async () => {
    const silent = net.createServer((socket) => void socket.resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port: plain } = silent.address() as net.AddressInfo;
    const stores = new RedisStores({
      connection: { host: '127.0.0.1', port: plain, tls: trusted },
      namespace: 'shop',
    });
    await expect(stores.open(100)).rejects.toThrow(/rediss:.*within 100 ms: .*speak no TLS/);
    await stores.close();
    silent.close();
  });

  it('needs to know the CA', async () => {
    const options = { host: '127.0.0.1', port, tls: trusted };
    const stores = new RedisStores({ connection: options, namespace: 'shop' });
    await stores.open(20_000);
    await stores.close();
    expect(
      await failure({ host: '127.0.0.1', port, tls: { cert: client.cert, key: client.key } }),
    ).toMatch(/rediss:.*(self-signed|unable to verify|issuer)/);
  });

  it('refuses a server of another CA', async () => {
    const other = new Authority();
    const tls = { ...trusted, ca: other.root.cert };
    other.remove();
    expect(await failure({ host: '127.0.0.1', port, tls })).toMatch(
      /self-signed|unable to (verify|get)|signature failure/,
    );
  });

  it('refuses a server with another name', async () => {
    const other = await serve(authority.sign('redis.example'));
    expect(await failure({ host: '127.0.0.1', port: other, tls: trusted })).toMatch(
      /does not match certificate|not in the cert/,
    );
  });

  it('refuses a certificate that has expired', async () => {
    const expired = await serve(authority.sign('127.0.0.1', -1));
    expect(await failure({ host: '127.0.0.1', port: expired, tls: trusted })).toMatch(/expired/);
  });

  it('is refused by a server that wants a certificate when it has none', async () => {
    expect(await failure({ host: '127.0.0.1', port, tls: { ca: trusted.ca } })).toMatch(
      /was not ready within/,
    );
  });
});
