import { Redis } from 'ioredis';
import type { Acks } from '../../lib/core/message/acks.js';
import { SendFailedError, SendOutcomeUnknownError } from '../../lib/core/message/errors.js';
import { NO_DISK_ACKS } from '../../lib/core/store/message-log.js';
import { Rivulet } from '../../lib/core/rivulet.js';
import { parseInfo } from '../../lib/redis/server-check.js';
import type { RedisOptions } from '../../tools/with-redis.mjs';
import { callOf, halfOf, MINE, statesOf } from '../contract/halves.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { openStores } from './helpers/open-stores.js';

const applications: Rivulet[] = [];
const servers: TestRedis[] = [];

async function start(server: TestRedis, acks?: Acks): Promise<Rivulet> {
  const stores = await openStores(server.url);
  const producer = { ...(acks && { acks }) };
  const application = new Rivulet({ stores, settings: { topics: { queues: 1 }, producer } });
  applications.push(application);
  return application;
}

async function serve(options: RedisOptions): Promise<TestRedis> {
  const server = await startRedis(options);
  servers.push(server);
  return server;
}

async function endAll(): Promise<void> {
  await Promise.all(applications.splice(0).map((application) => application.stop(1_000)));
  for (const server of servers.splice(0)) {
    await server.kill('SIGCONT');
    await server.stop();
  }
}

async function stored(application: Rivulet): Promise<number> {
  return (await application.stores.log.extent({ topic: 'orders', queue: 0 })).length;
}

describe('acks by replicas', () => {
  let master: TestRedis;
  let replica: TestRedis;
  let redis: Redis;
  let application: Rivulet;

  beforeAll(async () => {
    master = await serve({ args: ['--repl-diskless-sync-delay', '0'] });
    replica = await serve({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
    redis = new Redis(master.url);
    while ((await redis.set('here', '1').then(() => redis.wait(1, 1_000))) < 1);
    application = await start(master);
  });
  afterAll(async () => {
    redis.disconnect();
    await endAll();
  });
  beforeEach(() => replica.kill('SIGCONT'));

  const send = (timeoutMs?: number) =>
    application.producer.send('orders', 'a', {
      acks: { replicas: 1, ...(timeoutMs && { timeoutMs }) },
    });

  it('a send resolves once so many replicas have it, and says so', async () => {
    expect(await send()).toMatchObject({ state: 'stored', acks: { replicas: 1 } });
    const sends = await Promise.all(Array.from({ length: 500 }, () => send()));
    expect(new Set(sends.map(({ acks }) => JSON.stringify(acks)))).toEqual(
      new Set(['{"replicas":1}']),
    );
  });

  it('while the replica is frozen it is unknown, names the message and is not sent again', async () => {
    await replica.kill('SIGSTOP');
    const before = await stored(application);
    const error = await send(300).catch((reason: unknown) => reason as SendOutcomeUnknownError);
    expect(error).toBeInstanceOf(SendOutcomeUnknownError);
    expect(error).toMatchObject({
      messageId: expect.stringMatching(/-/),
      message: expect.stringMatching(/is stored in the memory of the server, but 0 of 1 replicas/),
    });
    expect(await application.producer.send('orders', 'plain')).toMatchObject({ acks: 'memory' });
    expect(await stored(application)).toBe(before + 2);
  });

  it('a default of the producer is waited for by each send that says nothing else', async () => {
    const own = await start(master, { replicas: 1, timeoutMs: 2_000 });
    expect(await own.producer.send('orders', 'a')).toMatchObject({ acks: { replicas: 1 } });
    await replica.kill('SIGSTOP');
    const [plain, said] = await Promise.allSettled([
      own.producer.send('orders', 'b'),
      own.producer.send('other', 'c', { acks: 'memory' }),
    ]);
    expect(String((plain as PromiseRejectedResult).reason)).toMatch(/0 of 1 replicas/);
    expect(said).toMatchObject({ value: { acks: 'memory' } });
  });

  it('a commit that is waited for while memory is full is confirmed', async () => {
    const { halves } = application.stores;
    const acks = { disk: false, replicas: 1, timeoutMs: 20_000 };
    const call = await callOf(application.stores, [halfOf(['full'])]);
    const ids = call.halves.map(({ id }) => id);
    await halves.prepare({ ...call, acks });
    await redis.config('SET', 'maxmemory', '1');
    try {
      expect(statesOf(await halves.commit({ ...MINE, acks }, ids))).toEqual(['committed']);
    } finally {
      await redis.config('SET', 'maxmemory', '0');
    }
  });

  it('a connection that is lost while it waits confirms nothing; the next one asks again, and stores nothing twice', async () => {
    await replica.kill('SIGSTOP');
    const before = await stored(application);
    const sent = send();
    sent.catch(() => {});
    const waitingId = async (): Promise<string | undefined> => {
      const clients = (await redis.client('LIST')) as string;
      const line = clients.split('\n').find((text) => text.includes(' cmd=wait '));
      return line && /^id=(\d+)/.exec(line)![1];
    };
    const lose = async (): Promise<string> => {
      for (;;) {
        const id = await waitingId();
        if (id && (await redis.client('KILL', 'ID', id))) return id;
      }
    };
    const lost = await lose();
    expect(await lose()).not.toBe(lost);
    await replica.kill('SIGCONT');
    expect(await sent).toMatchObject({ acks: { replicas: 1 } });
    expect(await stored(application)).toBe(before + 1);
  });

  it('a second send of what is stored already waits like the first', async () => {
    const options = { dedupId: 'd', acks: { replicas: 1, timeoutMs: 200 } };
    await replica.kill('SIGSTOP');
    for (let i = 0; i < 2; i++)
      await expect(application.producer.send('orders', 'a', options)).rejects.toThrow(
        SendOutcomeUnknownError,
      );
    await replica.kill('SIGCONT');
    expect(
      await application.producer.send('orders', 'a', { ...options, acks: { replicas: 1 } }),
    ).toMatchObject({ duplicate: true, acks: { replicas: 1 } });
  });

  it('more replicas than there are is unknown, too, and told apart from slow ones', async () => {
    expect(await send()).toMatchObject({ acks: { replicas: 1 } });
    // Time enough for the one there is, also on a busy machine.
    const acks = { replicas: 2, timeoutMs: 2_000 };
    const sent = application.producer.send('orders', 'a', { acks });
    await expect(sent).rejects.toThrow(/1 of 2 replicas .* \(only 1 of them is connected to it\)/);
  });

  it('what runs out with the time of its send says how far it came, not only that nobody answered', async () => {
    await replica.kill('SIGSTOP');
    const sent = application.producer.send('orders', 'a', {
      ...{ timeoutMs: 3_000, acks: { replicas: 1 } },
    });
    await expect(sent).rejects.toThrow('but 0 of 1 replicas confirmed it in time: it is delivered');
  });

  it('a half that is stored now is waited for, too', async () => {
    const { halves } = application.stores;
    const acks = { disk: false, replicas: 1, timeoutMs: 50 };
    await application.stores.topics.declare('orders', { queues: 1 });
    await replica.kill('SIGSTOP');
    const call = await callOf(application.stores, [halfOf(['now'])]);
    const missed = { code: 'ACKS_MISSED', missed: '0 of 1 replicas confirmed it in time' };
    await expect(halves.prepare({ ...call, acks })).rejects.toMatchObject(missed);
    await replica.kill('SIGCONT');
    expect(
      statesOf(await halves.prepare({ ...call, acks: { ...acks, timeoutMs: 20_000 } })),
    ).toEqual(['prepared']);
  });

  it('a half that was stored before, by a call that asked for nothing, is waited for all the same', async () => {
    const { halves } = application.stores;
    const acks = { disk: false, replicas: 1, timeoutMs: 50 };
    const call = await callOf(application.stores, [halfOf(['a']), halfOf(['b'])]);
    const ids = call.halves.map(({ id }) => id);
    const patient = { ...acks, timeoutMs: 20_000 };
    await halves.prepare({ ...call, acks: patient });
    await replica.kill('SIGSTOP');
    expect(statesOf(await halves.prepare(call))).toEqual(['prepared', 'prepared']);
    await halves.commit(MINE, ids);
    const missed = { code: 'ACKS_MISSED', missed: '0 of 1 replicas confirmed it in time' };
    await expect(halves.prepare({ ...call, acks })).rejects.toMatchObject(missed);
    await expect(halves.publish({ ...call, acks })).rejects.toMatchObject(missed);
    await expect(halves.commit({ ...MINE, acks }, ids)).rejects.toMatchObject(missed);
    await replica.kill('SIGCONT');
    expect(statesOf(await halves.commit({ ...MINE, acks: patient }, ids))).toEqual([
      ...['committed', 'committed'],
    ]);
    // What was not done is not waited for.
    await replica.kill('SIGSTOP');
    const moved = await halves.prepare({ ...call, halves: [halfOf(['c'])], generation: 9, acks });
    expect(statesOf(moved)).toEqual(['moved']);
  });
});

/** What a server makes of acks: "disk" with appendfsync everysec. */
function expectedOf(info: Readonly<Record<string, string>>): RegExp {
  if (info['valkey_version']) return /before the data is on its disk/;
  const [major, minor] = info['redis_version']!.split('.').map(Number);
  const hasWaitaof = major! > 7 || (major === 7 && minor! >= 2);
  return hasWaitaof ? /^disk$/ : /has no WAITAOF, which came with Redis 7\.2/;
}

describe('acks by disk', () => {
  afterEach(endAll);

  const sendBoth = (application: Rivulet) =>
    Promise.allSettled([
      application.producer.send('orders', 'a', { acks: 'disk' }),
      application.producer.send('orders', 'b'),
    ]);

  it('cost nothing with appendfsync always', async () => {
    const application = await start(await serve({ persistence: 'aof-always' }));
    const [disk] = await sendBoth(application);
    expect(disk).toMatchObject({ value: { acks: 'disk' } });
  });

  it('are refused, and only they, by a server that keeps no file', async () => {
    const application = await start(await serve({ persistence: 'none' }));
    const [disk, plain] = await sendBoth(application);
    expect(disk).toMatchObject({ reason: { code: 'SEND_FAILED' } });
    expect((disk as PromiseRejectedResult).reason).toBeInstanceOf(SendFailedError);
    expect(String((disk as PromiseRejectedResult).reason)).toMatch(/Set appendonly yes/);
    expect(plain).toMatchObject({ value: { acks: 'memory' } });
    expect(await stored(application)).toBe(1);
  });

  it('as the default of the producer are refused at the start, with what to do, by a server that cannot tell', async () => {
    const server = await serve({ persistence: 'none' });
    const application = await start(server, 'disk');
    const error = await application.open().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'STORE_REFUSED', reason: NO_DISK_ACKS });
    expect(String(error)).toMatch(/acks: "disk" cannot be had here: .* Set appendonly yes/);
    const always = await start(await serve({ persistence: 'aof-always' }), 'disk');
    await always.open();
    expect(await always.producer.send('orders', 'a')).toMatchObject({ acks: 'disk' });
  });

  // WAITAOF: absent before Redis 7.2, true from 8.0, false on Valkey so far. REDIS_BIN decides what is tried here.
  it('with appendfsync everysec are waited for, or refused by a server that cannot tell', async () => {
    const server = await serve({ persistence: 'aof-everysec' });
    const redis = new Redis(server.url);
    const info = parseInfo(await redis.info());
    redis.disconnect();
    const application = await start(server);
    const [disk, plain] = await sendBoth(application);
    expect(plain).toMatchObject({ status: 'fulfilled' });
    const own = await start(server, 'disk');
    const opened = await own.open().then(
      () => 'disk',
      (reason: unknown) => String(reason),
    );
    expect(opened).toMatch(expectedOf(info));
    expect(disk.status === 'fulfilled' ? disk.value.acks : String(disk.reason)).toMatch(
      expectedOf(info),
    );
  });
});
