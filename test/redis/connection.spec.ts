import net from 'node:net';
import { jest } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  ClosedError,
  StoreRefusedError,
  StoreUnavailableError,
} from '../../lib/core/message/errors.js';
import { silentLogger } from '../../lib/core/runtime/logger.js';
import { serverProblem } from '../../lib/redis/server-check.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { newNamespace, openStores } from './helpers/open-stores.js';
import { startRedis } from '../helpers/redis.js';
import { whenStored, within } from '../helpers/workload.js';
import { ownServer } from './helpers/own-server.js';

describe('connections', () => {
  const namespace = newNamespace();
  const own = ownServer();

  /** The error `open` rejects with although its time is up only long after this test. */
  async function openFailure(connection: string): Promise<unknown> {
    const stores = new RedisStores({ connection, namespace });
    const opening = stores.open(600_000).catch((thrown: unknown) => thrown);
    const error = await within(60_000, 'the end of open', opening);
    await stores.close();
    return error;
  }

  /** Stores that were refused, and know why. */
  async function refused(connection: string, why: RegExp, logger = silentLogger) {
    const stores = new RedisStores({ connection, namespace, logger });
    await expect(stores.open(1)).rejects.toThrow('was not ready within 1 ms');
    await whenStored(async () => why.test(stores.availability.why ?? ''));
    return stores;
  }

  it('says where and why when nobody listens, once the time is up', async () => {
    const stores = await refused('redis://:secret@127.0.0.1:1', /ECONNREFUSED/);
    const error = await stores.open(100).catch((thrown: unknown) => thrown);
    await stores.close();
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect((error as Error).message).toMatch(
      /redis:\/\/:\*\*\*@127\.0\.0\.1:1 was not ready within 100 ms: .*ECONNREFUSED/,
    );
  });

  it('says early what it waits for, and until when', async () => {
    const said: string[] = [];
    const logger = { ...silentLogger, warn: (line: string) => void said.push(line) };
    const stores = await refused('redis://:secret@127.0.0.1:1', /ECONNREFUSED/, logger);
    await expect(stores.open(1_200)).rejects.toThrow(StoreUnavailableError);
    await stores.close();
    expect(said).toEqual([
      expect.stringMatching(
        /^Waiting for redis:\/\/:\*\*\*@127\.0\.0\.1:1 \(.*ECONNREFUSED.*\), up to 1200 ms in all: .*Start Redis there/,
      ),
    ]);
  });

  it('waits for a Redis that comes up in time', async () => {
    const late = await startRedis();
    await late.kill();
    const stores = new RedisStores({ connection: late.url, namespace });
    const opening = stores.open(20_000);
    await late.restart();
    await opening;
    expect(stores.availability.ready).toBe(true);
    await stores.close();
    await late.stop();
  });

  it.each(['nobody:wrong@', ':wrong@'])(
    'gives up at once on wrong credentials (%s)',
    async (who) => {
      await own.redis.config('SET', 'requirepass', 'right');
      await own.redis.auth('right');
      const error = await openFailure(own.url.replace('//', `//${who}`));
      await own.redis.config('SET', 'requirepass', '');
      expect(error).toMatchObject({ code: 'STORE_REFUSED', reason: 'WRONGPASS' });
    },
  );

  it('gives up at once when a password is needed and none is given', async () => {
    await own.redis.config('SET', 'requirepass', 'right');
    const error = await openFailure(own.url);
    await own.redis.config('SET', 'requirepass', '');
    expect(error).toMatchObject({ code: 'STORE_REFUSED', reason: 'NOAUTH' });
  });

  it('says what it may be when the server closes connections at once', async () => {
    const [, most] = (await own.redis.config('GET', 'maxclients')) as string[];
    await own.redis.config('SET', 'maxclients', '1');
    const stores = await refused(own.url, /limit of clients \(maxclients\)/);
    await own.redis.config('SET', 'maxclients', most!);
    expect(stores.availability.why).toContain('limit of clients (maxclients)');
    await stores.close();
  });

  it('refuses a server that evicts, unless that is accepted', async () => {
    await own.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const error = await openFailure(own.url);
    expect(error).toMatchObject({ reason: 'EVICTION' });
    await (await openStores(own.url, { allowEviction: true })).close();
    await own.redis.config('SET', 'maxmemory-policy', 'noeviction');
  });

  it('names the commands the user may not run', async () => {
    await own.redis.acl(
      'SETUSER',
      'poor',
      'on',
      'nopass',
      '~*',
      '+@all',
      '-xclaim',
      '-xgroup|delconsumer',
    );
    const error = await openFailure(own.url.replace('//', '//poor@'));
    expect(error).toBeInstanceOf(StoreRefusedError);
    expect((error as Error).message).toContain('may not run XCLAIM, XGROUP DELCONSUMER');
  });

  it('refuses a user who may not INFO: the ready check would be skipped', async () => {
    await own.redis.acl('SETUSER', 'blind', 'on', 'nopass', '~*', '+@all', '-info');
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const error = await openFailure(own.url.replace('//', '//blind@'));
    warn.mockRestore();
    expect(error).toMatchObject({ reason: 'NOPERM' });
  });

  it('never writes to database 0 when the user may not select the one that was asked for', async () => {
    await own.redis.acl('SETUSER', 'narrow', 'on', 'nopass', '~*', '+@all', '-select');
    const error = await openFailure(`${own.url.replace('//', '//narrow@')}/3`);
    expect(error).toMatchObject({ reason: 'NOPERM' });
    expect(await own.redis.dbsize()).toBe(0);
  });

  it('gives up at once on a database that the server does not have', async () => {
    const error = await openFailure(`${own.url}/99`);
    expect(error).toMatchObject({ reason: 'NO_DB' });
    expect((error as Error).message).toContain('DB index is out of range. Choose a db that it has');
  });

  it('uses the database of the URL', async () => {
    const stores = await openStores(`${own.url}/3`, { namespace });
    await stores.members.beat('a');
    expect(await own.redis.info('keyspace')).toContain('db3:keys=1');
    await stores.close();
    await own.redis.flushall();
  });

  it.each([
    [{ redis_version: '6.2.14' }, 'TOO_OLD'],
    [{ redis_version: '7.0.15', role: 'slave' }, 'READONLY'],
    [{ redis_version: '7.0.15', role: 'master', maxmemory_policy: 'volatile-lru' }, 'EVICTION'],
    [
      {
        redis_version: '7.2.4',
        valkey_version: '8.0.1',
        role: 'master',
        maxmemory_policy: 'noeviction',
      },
      undefined,
    ],
  ])('knows from %j whether a server will do', (info, reason) => {
    const server = { target: 'redis://x', info, missing: [], isNode: false };
    expect(serverProblem(server, { allowEviction: false })?.reason).toBe(reason);
  });

  it('begins also while a node of a cluster becomes a replica', () => {
    const info = { redis_version: '7.0.15', role: 'slave' };
    const server = { target: 'redis://x', info, missing: [], isNode: true };
    expect(serverProblem(server, { allowEviction: false })).toBeUndefined();
  });

  it('tells when it is lost and when it is back', async () => {
    const stores = await openStores(own.url);
    const seen: boolean[] = [];
    let wake = (): void => {};
    stores.availability.onChange((ready) => {
      seen.push(ready);
      wake();
    });
    const change = () => new Promise<void>((resolve) => (wake = resolve));
    let changed = change();
    await own.server.kill();
    await changed;
    await expect(stores.members.beat('a')).rejects.toMatchObject({ reason: 'NOT_SENT' });
    changed = change();
    await own.server.restart();
    await changed;
    await stores.members.beat('a');
    expect(seen).toEqual([false, true]);
    await stores.close();
    expect(seen).toEqual([false, true, false]);
  });

  it('closes at once while Redis is down, and while it hangs; calls under way reject', async () => {
    // Left alone, a silent socket would be given up long after this test.
    const connection = { host: '127.0.0.1', port: own.server.port, socketTimeout: 600_000 };
    const stores = await openStores(own.url, { connection });
    const reader = stores.deliveries.openReader('g', 'c');
    await own.server.kill('SIGSTOP');
    const { signal } = new AbortController();
    const request = { queues: [{ topic: 't', queue: 0 }], perQueue: 1, blockMs: 5_000, signal };
    const underWay = [stores.members.beat('a'), reader.read(request)];
    const failed = Promise.allSettled(underWay);
    await within(60_000, 'the end of the stores', stores.close());
    const ended = await within(60_000, 'the end of the calls', failed);
    expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await own.server.kill('SIGCONT');
    await expect(stores.members.beat('a')).rejects.toBeInstanceOf(ClosedError);
    await stores.close();
  });

  it('gives a half-open connection up after five seconds, and does not send the call again', async () => {
    const silent = await startSilentProxy(own.server.port);
    const stores = await openStores(`redis://127.0.0.1:${silent.port}`, { namespace });
    silent.hush();
    await expect(stores.members.beat('once')).rejects.toBeInstanceOf(StoreUnavailableError);
    silent.speak();
    while (!stores.availability.ready) await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await stores.members.beat('twice')).members.map(({ member }) => member)).toEqual([
      'twice',
    ]);
    await stores.close();
    silent.close();
  });

  it('outlives a client that ends, of a factory too', async () => {
    const clients: Redis[] = [];
    const stores = new RedisStores({
      namespace,
      connection: (role, options) => {
        const client = new Redis(own.url, options);
        expect(role).toBe('commands');
        clients.push(client);
        return client;
      },
    });
    await stores.open(20_000);
    clients[0]!.disconnect();
    await new Promise<void>((resolve) => {
      stores.availability.onChange((ready) => ready && resolve());
    });
    await stores.members.beat('a');
    expect(clients).toHaveLength(2);
    const ended = new Promise((resolve) => clients[1]!.once('end', resolve));
    await stores.close();
    await ended;
  });
});

/** Forwards to a port until it is hushed; then it keeps connections open and forwards nothing. */
async function startSilentProxy(port: number) {
  let isHushed = false;
  const sockets = new Set<net.Socket>();
  const proxy = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    const hushed = isHushed;
    client.on('data', (bytes) => hushed || isHushed || upstream.write(bytes));
    upstream.on('data', (bytes) => hushed || isHushed || client.write(bytes));
    client.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    port: (proxy.address() as net.AddressInfo).port,
    hush: () => (isHushed = true),
    speak: () => (isHushed = false),
    close() {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
