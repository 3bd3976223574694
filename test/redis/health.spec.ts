import { Redis } from 'ioredis';
import { Rivulet } from '../../lib/core/rivulet.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { serverHealth } from '../../lib/redis/server-health.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { newNamespace, openStores } from './helpers/open-stores.js';

let server: TestRedis;
let redis: Redis;
let stores: RedisStores;
beforeAll(async () => {
  server = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  redis = new Redis(server.url);
  stores = await openStores(server.url);
});
afterAll(async () => {
  await stores.close();
  redis.disconnect();
  await server.stop();
});

const codes = async (): Promise<string[]> =>
  (await stores.health()).problems.map(({ level, code }) => `${level} ${code}`);

describe('The health of a Redis', () => {
  it('names what a confirmed message survives', async () => {
    const levels: [Record<string, string>, string, string[]][] = [
      [{ appendonly: 'no', save: '' }, 'none', ['warning NO_PERSISTENCE']],
      [{ save: '3600 1' }, 'snapshots', ['warning NO_APPEND_ONLY']],
      [{ appendonly: 'yes', appendfsync: 'everysec' }, 'everysec', []],
      [{ appendfsync: 'always' }, 'always', []],
      [{ appendfsync: 'no' }, 'append-only', ['warning NO_FSYNC']],
    ];
    for (const [config, durability, problems] of levels) {
      for (const [name, value] of Object.entries(config)) await redis.config('SET', name, value);
      expect(await stores.health()).toMatchObject({
        server: expect.stringMatching(/^(Redis|Valkey) \d+\.\d+/),
        durability,
      });
      expect(await codes()).toEqual(problems);
    }
    await redis.config('SET', 'appendfsync', 'everysec');
  });

  it('sees an eviction policy that was changed behind its back, and memory that runs short', async () => {
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await codes()).toEqual(['error EVICTION']);
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.config('SET', 'maxmemory', '1000000000');
    expect(await codes()).toEqual([]);
    await redis.config('SET', 'maxmemory', '1');
    expect(await codes()).toEqual(['error MEMORY_FULL']);
    await redis.config('SET', 'maxmemory', '0');
    expect(await codes()).toEqual([]);
  });

  it('does without CONFIG', async () => {
    await redis.acl('SETUSER', 'plain', 'on', 'nopass', '~*', '+@all', '-config');
    const plain = await openStores(server.url.replace('//', '//plain@'));
    expect(await plain.health()).toMatchObject({ durability: 'append-only', problems: [] });
    await plain.close();
  });

  it('counts the replicas that producer.acks asks for', async () => {
    const acks = { replicas: 1 };
    const health = new RedisStores({ connection: server.url, namespace: newNamespace() });
    await health.open(5_000, { acks });
    expect((await health.health()).problems).toMatchObject([
      {
        ...{ level: 'warning', code: 'REPLICAS_SHORT' },
        text: expect.stringMatching(/: 0 replicas are connected, and producer\.acks asks for 1: /),
      },
    ]);
    const args = ['--replicaof', '127.0.0.1', String(server.port)];
    const replica = await startRedis({ args });
    while ((await redis.set('here', '1').then(() => redis.wait(1, 1_000))) < 1);
    expect((await health.health()).problems).toEqual([]);
    await health.close();
    await replica.stop();
  });

  it.each<[Record<string, string>, string]>([
    [{ role: 'slave' }, 'REPLICA'],
    [{ aof_enabled: '1', aof_last_write_status: 'err' }, 'DISK'],
    [{ rdb_last_bgsave_status: 'err' }, 'DISK'],
    [{ used_memory: '95', maxmemory: '100' }, 'MEMORY_SHORT'],
    [{ connected_clients: '19', maxclients: '20' }, 'CLIENTS_SHORT'],
    [{ connected_clients: '20', maxclients: '20' }, 'CLIENTS_FULL'],
  ])('judges %j', (facts, code) => {
    const info = { redis_version: '7.0.15', aof_enabled: '1', ...facts };
    const config = { appendfsync: 'everysec', save: undefined };
    const { problems } = serverHealth(
      { target: 'redis://x', info, config },
      { allowEviction: false },
    );
    expect(problems).toMatchObject([{ code, text: expect.stringContaining('redis://x: ') }]);
  });

  it.each<Record<string, string>>([
    { aof_enabled: '1', aof_last_write_status: 'err' },
    { aof_enabled: '1', rdb_last_bgsave_status: 'err' },
  ])('says of a disk that fails (%j) that nothing is handled either', (info) => {
    const config = { appendfsync: 'everysec', save: undefined };
    const server = { target: 'redis://x', info, config };
    const { problems } = serverHealth(server, { allowEviction: false });
    expect(problems[0]!.text).toMatch(/refuses sends, and consumers get nothing\. Free space/);
  });

  it('finds a server without a free connection worth a look: the processes that have theirs work', () => {
    const { problems } = serverHealth(
      {
        target: 'redis://x',
        info: { aof_enabled: '1', connected_clients: '20', maxclients: '20' },
        config: { appendfsync: 'everysec', save: undefined },
      },
      { allowEviction: false },
    );
    expect(problems).toMatchObject([{ code: 'CLIENTS_FULL', level: 'warning' }]);
  });
});

it('The operator is told that the store does not answer, within the time', async () => {
  const own = await startRedis();
  const rivulet = new Rivulet({ stores: await openStores(own.url) });
  await rivulet.open();
  const admin = new MessageAdmin({ rivulet });
  expect(await admin.health()).toMatchObject({ status: 'degraded', error: undefined });
  await own.stop();
  expect(await admin.health({ timeoutMs: 500 })).toMatchObject({
    status: 'down',
    store: undefined,
    error: expect.stringContaining('Store'),
  });
  await rivulet.stop(100);
});
