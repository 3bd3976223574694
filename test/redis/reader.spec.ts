import { jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { QueueFaultedError } from '../../lib/core/message/errors.js';
import type { DeliveredEntry } from '../../lib/core/store/delivery-store.js';
import { Keys } from '../../lib/redis/keys.js';
import { OneWrite } from '../../lib/redis/one-write.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { entries, newNamespace, openStores, session } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';
import { within } from '../helpers/workload.js';

describe('a group reader', () => {
  const namespace = newNamespace();
  const keys = new Keys({ namespace });
  const queues = [0, 1, 2].map((queue) => ({ topic: 'orders', queue }));
  const { signal } = new AbortController();
  const own = ownServer();
  let stores: RedisStores;
  let generation: number;

  beforeEach(async () => {
    await own.redis.flushall();
    stores = await openStores(own.url, { namespace });
    ({ generation } = await stores.topics.declare('orders', { queues: 3 }));
    await stores.topics.joinGroup('orders', {
      group: 'g',
      mode: 'unordered',
      filterDigest: '',
      from: 'earliest',
    });
  });
  afterEach(() => stores.close());

  const publish = (queue: number) =>
    stores.log.append(session('orders', generation, queue).call(entries('a')));

  /** Resolves when somebody waits for a message. */
  async function untilBlocked(): Promise<void> {
    while (!(await own.redis.info('clients')).includes('blocked_clients:1')) await own.redis.ping();
  }

  /** Of the connection that waits for messages; the newest, where an older one is not gone yet. */
  async function blockingId(): Promise<string> {
    const list = String(await own.redis.client('LIST'));
    return [...list.matchAll(/^id=(\d+) [^\n]*:blocking/gm)].at(-1)![1]!;
  }

  it('names the queue whose key holds something else, and keeps what the others answered', async () => {
    await own.redis.set(keys.queue(queues[1]!).log, 'a string');
    await publish(0);
    await publish(2);
    const reader = stores.deliveries.openReader('g', 'c');
    const request = { queues, perQueue: 5, blockMs: 0, signal };
    const fault = await reader.read(request).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(QueueFaultedError);
    expect(fault).toMatchObject({ topic: 'orders', queue: 1, fault: 'wrong-type' });
    const healthy = { ...request, queues: [queues[0]!, queues[2]!] };
    expect((await reader.read(healthy)).map(({ queue }) => queue)).toEqual([0, 2]);
    expect(await reader.read(healthy)).toEqual([]);
  });

  it('asks before its caller goes on, and not when the turn ends, if that is told to leave now', async () => {
    const reader = stores.deliveries.openReader('g', 'c');
    const asked = jest.spyOn(Redis.prototype, 'sendCommand');
    const sent = jest.spyOn(OneWrite.prototype, 'flush');
    try {
      await reader.read({ queues, perQueue: 5, blockMs: 0, signal });
      expect(asked).toHaveBeenCalledTimes(1);
      expect(sent).not.toHaveBeenCalled();
      const reading = reader.read({ queues, perQueue: 5, blockMs: 0, signal, leavesNow: true });
      expect(asked).toHaveBeenCalledTimes(2);
      expect(sent).toHaveBeenCalledTimes(1);
      expect(sent.mock.invocationCallOrder[0]!).toBeGreaterThan(asked.mock.invocationCallOrder[1]!);
      await reading;
    } finally {
      asked.mockRestore();
      sent.mockRestore();
    }
  });

  it('notices while it waits that a queue was deleted', async () => {
    const reader = stores.deliveries.openReader('g', 'c');
    const reading = reader.read({ queues, perQueue: 5, blockMs: 5_000, signal });
    await untilBlocked();
    await own.redis.del(keys.queue(queues[2]!).log);
    await expect(reading).rejects.toMatchObject({ queue: 2, fault: 'no-group' });
  });

  it('ends a waiting read without losing its connection or a message', async () => {
    const reader = stores.deliveries.openReader('g', 'c');
    const rounds = 20;
    // A timer may fire a moment early.
    const PATIENCE_MS = 240;
    const read: DeliveredEntry[] = [];
    const dropped: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const aborter = new AbortController();
      const reading = reader.read({ queues, perQueue: 5, blockMs: 5_000, signal: aborter.signal });
      await untilBlocked();
      const connection = await blockingId();
      aborter.abort();
      const abortedAt = performance.now();
      const published = publish(round % 3);
      read.push(...(await reading));
      const endedMs = performance.now() - abortedAt;
      await published;
      read.push(...(await reader.read({ queues, perQueue: 5, blockMs: 0, signal })));
      if ((await blockingId()) !== connection) dropped.push(endedMs);
    }
    expect(dropped.filter((ms) => ms < PATIENCE_MS)).toEqual([]);
    // Where a busy machine gave no answer within 250 ms the connection was dropped, with what was on its way.
    let released = 0;
    for (const { topic, queue } of queues) {
      const inHand = read.filter((entry) => entry.queue === queue);
      const renewal = { consumer: 'c', inHand, swallowedAfterMs: 0 };
      released += (await stores.deliveries.renew({ topic, queue, group: 'g' }, renewal)).released;
    }
    expect(read.length + released).toBe(rounds);
    expect(released).toBeLessThanOrEqual(dropped.length);
  });

  it('tells of what a waiting read brings before its promise does', async () => {
    const reader = stores.deliveries.openReader('g', 'c');
    const order: string[] = [];
    const reading = reader
      .read({
        queues,
        perQueue: 5,
        blockMs: 5_000,
        signal,
        onArrival: ([entry]) => {
          order.push(`arrived in ${entry!.queue}`);
          void Promise.resolve().then(() => order.push('the next promise'));
        },
      })
      .then(({ length }) => order.push(`answered with ${length}`));
    await untilBlocked();
    await publish(1);
    await reading;
    expect(order).toEqual(['arrived in 1', 'the next promise', 'answered with 0']);
  });

  it('fails a read when whoever is told of its messages throws, and keeps its connection', async () => {
    const reader = stores.deliveries.openReader('g', 'c');
    const onArrival = (): void => {
      throw new Error('no room');
    };
    const reading = reader.read({ queues, perQueue: 5, blockMs: 5_000, signal, onArrival });
    await untilBlocked();
    const connection = await blockingId();
    await publish(1);
    await expect(reading).rejects.toThrow('no room');
    const next = reader.read({ queues, perQueue: 5, blockMs: 5_000, signal });
    await untilBlocked();
    await publish(2);
    expect(await next).toMatchObject([{ queue: 2 }]);
    expect(await blockingId()).toBe(connection);
  });

  it('without the right to unblock it drops the connection, and reads over another one', async () => {
    await own.redis.acl('SETUSER', 'poor', 'on', 'nopass', '~*', '&*', '+@all', '-client|unblock');
    const poor = await openStores(own.url.replace('//', '//poor@'), { namespace });
    const reader = poor.deliveries.openReader('g', 'c');
    const aborter = new AbortController();
    const reading = reader.read({ queues, perQueue: 5, blockMs: 5_000, signal: aborter.signal });
    await untilBlocked();
    aborter.abort();
    expect(await reading).toEqual([]);
    await publish(1);
    // What Redis handed to the dropped connection at that moment comes back through `renew`.
    const read = await reader.read({ queues, perQueue: 5, blockMs: 0, signal });
    const renewal = { consumer: 'c', inHand: read, swallowedAfterMs: 0 };
    const ref = { ...queues[1]!, group: 'g' };
    const { released } = await poor.deliveries.renew(ref, renewal);
    expect(read.length + released).toBe(1);
    await poor.close();
  });

  it('closes within a moment while Redis hangs', async () => {
    // Left alone, a silent socket would be given up long after this test.
    const connection = { host: '127.0.0.1', port: own.server.port, socketTimeout: 600_000 };
    const patient = await openStores(own.url, { namespace, connection });
    const reader = patient.deliveries.openReader('g', 'c');
    const reading = reader.read({ queues, perQueue: 5, blockMs: 5_000, signal });
    await untilBlocked();
    await own.server.kill('SIGSTOP');
    await within(60_000, 'the end of the reader', reader.close());
    expect(await reading).toEqual([]);
    await own.server.kill('SIGCONT');
    await patient.close();
  });

  it('reads again after Redis was restarted', async () => {
    const reader = stores.deliveries.openReader('g', 'c');
    const reading = reader.read({ queues, perQueue: 5, blockMs: 5_000, signal });
    await untilBlocked();
    await own.server.restart();
    await expect(reading).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    // Nothing was persisted: the group is gone, and the reader says so.
    await expect(reader.read({ queues, perQueue: 5, blockMs: 0, signal })).rejects.toBeInstanceOf(
      QueueFaultedError,
    );
  });
});
