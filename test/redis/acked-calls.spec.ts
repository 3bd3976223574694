import { jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { StoreRefusedError, StoreUnavailableError } from '../../lib/core/message/errors.js';
import { silentLogger } from '../../lib/core/runtime/logger.js';
import type { AcksReached, AcksWanted } from '../../lib/core/store/message-log.js';
import { AckedCalls } from '../../lib/redis/acked-calls.js';
import { AckWaits } from '../../lib/redis/ack-waits.js';
import { planConnection } from '../../lib/redis/connection-options.js';
import { Connections } from '../../lib/redis/connections.js';
import type { ScriptHost } from '../../lib/redis/script.js';
import type { RedisOptions } from '../../tools/with-redis.mjs';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { whenStored, within } from '../helpers/workload.js';

const ONE: AcksWanted = { disk: false, replicas: 1, timeoutMs: 20_000 };
const DISK: AcksWanted = { disk: true, replicas: 0, timeoutMs: 20_000 };

const open: { end(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.end();
});

async function serve(options: RedisOptions = {}): Promise<TestRedis> {
  const server = await startRedis(options);
  open.push({ end: () => server.stop() });
  return server;
}

/** With a replica that has all there is. */
async function serveWithReplica(): Promise<TestRedis> {
  const master = await serve({ args: ['--repl-diskless-sync-delay', '0'] });
  await serve({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
  const redis = operator(master);
  const isCopied = async () => (await redis.set('here', '1').then(() => redis.wait(1, 1_000))) >= 1;
  await within(60_000, 'the replica', whenStored(isCopied));
  return master;
}

function operator({ url }: TestRedis): Redis {
  const redis = new Redis(url);
  open.push({ end: () => redis.disconnect() });
  return redis;
}

async function connectionsTo(url: string): Promise<Connections> {
  const plan = planConnection({ connection: url, namespace: 'n' }, (made) => new Redis(made));
  const connections = new Connections({ plan, logger: silentLogger, now: undefined });
  open.push({ end: () => connections.close() });
  await connections.open(5_000, { allowEviction: false, anyKey: '{n:topics}' });
  return connections;
}

async function callsTo({ url }: TestRedis): Promise<AckedCalls> {
  const connections = await connectionsTo(url);
  return new AckedCalls({ connections, key: '{n:a:0}:log', probeKey: '{n:a:0}:probe' });
}

/** A call that writes, and then does this before its reply is heard. */
const writing = (meanwhile: (host: ScriptHost) => Promise<void> = async () => {}) => ({
  work: async (host: ScriptHost) => {
    await host.redis.set('{n:a:0}:log', 'x');
    await meanwhile(host);
    return {};
  },
  wrote: () => true,
});

it('a call whose connection was followed by another one before it could be asked about is confirmed by nobody', async () => {
  const master = await serveWithReplica();
  const calls = await callsTo(master);
  const redis = operator(master);
  const lose = async ({ redis: own }: ScriptHost): Promise<void> => {
    const client = own as Redis;
    const again = new Promise((resolve) => client.once('ready', resolve));
    await redis.client('KILL', 'ID', await client.client('ID'));
    await again;
  };
  const lost = calls.run(ONE, writing(lose));
  await expect(lost).rejects.toThrow('the connection was lost. How far the call is stored');
  await expect(lost).rejects.toBeInstanceOf(StoreUnavailableError);
  expect(await calls.run(ONE, writing())).toMatchObject({ reached: { replicas: 1 } });
});

it('a call for which there is no connection was not made', async () => {
  const server = await serve();
  const calls = await callsTo(server);
  await server.kill('SIGKILL');
  const call = { ...writing(), work: jest.fn<() => Promise<object>>() };
  const refused = calls.run(ONE, call);
  await expect(refused).rejects.toBeInstanceOf(StoreRefusedError);
  await expect(refused).rejects.toMatchObject({ reason: 'NOT_SENT' });
  expect(call.work).not.toHaveBeenCalled();
});

it('what has to be written before it is asked, and may not be, fails those only who need it', async () => {
  const master = await serveWithReplica();
  await operator(master).call('ACL', 'SETUSER', 'half', 'on', 'nopass', '~{n:*', '+@all');
  const connections = await connectionsTo(master.url.replace('//', '//half:any@'));
  const { connection } = connections.openReader('{n:a:0}:log');
  await connection.whenReady({ timeoutMs: 20_000 });
  const waits = new AckWaits({ connection, touchKey: 'forbidden' });
  const ask = (touch: boolean): Promise<AcksReached> =>
    waits.reached({
      ...{ wanted: ONE, touch, era: connection.era },
      until: performance.now() + ONE.timeoutMs,
    });
  // The second and the third are asked about together, once the first has its answer.
  const [, plain, touched] = await Promise.allSettled([ask(false), ask(false), ask(true)]);
  expect(plain).toMatchObject({ value: { replicas: 1 } });
  expect(touched).toMatchObject({ status: 'rejected', reason: { code: 'STORE_UNAVAILABLE' } });
  expect(String((touched as PromiseRejectedResult).reason)).toContain('How far the call is stored');
});

it('that each reply means the disk is believed for ten seconds, no longer', async () => {
  jest.useFakeTimers({
    doNotFake: [
      ...(['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate'] as const),
      ...(['clearImmediate', 'nextTick', 'queueMicrotask', 'Date', 'hrtime'] as const),
    ],
  });
  open.push({ end: () => jest.useRealTimers() });
  const server = await serve({ persistence: 'aof-always' });
  const calls = await callsTo(server);
  const reached = { disk: true, replicas: 0 };
  expect(await calls.run(DISK, writing())).toMatchObject({ reached });
  await operator(server).config('SET', 'appendfsync', 'no');
  jest.advanceTimersByTime(9_000);
  expect(await calls.run(DISK, writing())).toMatchObject({ reached });
  jest.advanceTimersByTime(2_000);
  const refused = calls.run(DISK, writing());
  await expect(refused).rejects.toMatchObject({ reason: 'NO_DISK_ACKS' });
  await expect(refused).rejects.toThrow('has appendfsync no, and never knows');
});
