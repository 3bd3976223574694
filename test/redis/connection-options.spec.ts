import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { InvalidOptionsError } from '../../lib/core/message/errors.js';
import { planConnection, type RedisStoresOptions } from '../../lib/redis/connection-options.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';

/** What the options come to for a client, without connecting. */
function made(options: Partial<RedisStoresOptions>, role: 'commands' | 'blocking' = 'commands') {
  let given: RedisOptions = {};
  const plan = planConnection(
    { namespace: 'shop', connection: 'redis://localhost', ...options },
    (clientOptions) => {
      given = clientOptions;
      return new Redis({ ...clientOptions, lazyConnect: true });
    },
  );
  plan.make(role);
  return { given, target: plan.target };
}

function planned(connection: object) {
  return planConnection(
    { namespace: 'shop', connection },
    (options) => new Redis({ ...options, lazyConnect: true }),
  );
}

function problems(options: object): readonly string[] {
  try {
    new RedisStores({ namespace: 'shop', connection: 'redis://localhost', ...options });
    return [];
  } catch (error) {
    if (error instanceof InvalidOptionsError) return error.problems;
    throw error;
  }
}

describe('connection options', () => {
  it('take a URL apart and never show its password', () => {
    const { given, target } = made({
      connection: 'rediss://user:p%40ss@redis.example:7000/2?family=6',
    });
    expect(given).toMatchObject({
      ...{
        host: 'redis.example',
        port: 7000,
        username: 'user',
        password: 'p@ss',
        db: 2,
        family: 6,
      },
      tls: {},
    });
    expect(target).toBe('rediss://user:***@redis.example:7000/2');
    expect(made({ connection: { host: '::1' } }).target).toBe('redis://[::1]:6379');
  });

  it('never resend, never queue and never time a write out', () => {
    const { given } = made({});
    expect(given).toMatchObject({
      ...{
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
        enableOfflineQueue: false,
      },
      ...{
        commandTimeout: undefined,
        socketTimeout: 5_000,
        connectTimeout: 5_000,
        keepAlive: 10_000,
      },
      ...{
        enableReadyCheck: true,
        replyMapping: 'legacy',
        connectionName: 'rivulet:shop:commands',
      },
    });
    expect(given.reconnectOnError?.(new Error('READONLY You can’t'))).toBe(true);
    expect(given.reconnectOnError?.(new Error('OOM'))).toBe(false);
    for (const attempt of [1, 5, 100]) {
      const pauseMs = given.retryStrategy?.(attempt);
      expect(pauseMs).toBeGreaterThanOrEqual(50);
      expect(pauseMs).toBeLessThanOrEqual(2_200);
    }
  });

  it('give a blocking reader time to be silent', () => {
    expect(made({}, 'blocking').given.socketTimeout).toBe(10_000);
    expect(made({ blockMs: 1_000 }, 'blocking').given.socketTimeout).toBe(6_000);
    expect(made({ connection: { socketTimeout: 7_000 } }, 'blocking').given.socketTimeout).toBe(
      7_000,
    );
  });

  it('find the master through Sentinel and watch it', () => {
    const connection = { sentinels: [{ host: 'a', port: 1 }], name: 'main', password: 'x' };
    const { given, target } = made({ connection });
    expect(given).toMatchObject({ ...connection, failoverDetector: true });
    expect(target).toBe('master "main" of the sentinels a:1');
  });

  it.each([
    [{ connection: 'http://localhost' }, /must begin with redis:\/\/ or rediss:\/\//],
    [{ connection: 'redis://h:port' }, /is no URL/],
    [{ connection: { host: 'h', port: NaN } }, /connection: port must be an integer from 1 to/],
    [{ connection: { host: 'h', port: '6379x' } }, /connection: port must be an integer from 1 to/],
    [{ connection: { host: 'h', port: 0 } }, /connection: port must be an integer from 1 to/],
    [{ connection: 'redis://%E0@localhost' }, /must be percent-encoded/],
    [{ connection: 'redis://localhost/abc' }, /db must be an integer/],
    [
      { connection: 'redis://localhost?maxRetriesPerRequest=20' },
      /URL parameter "maxRetriesPerRequest"/,
    ],
    [{ connection: 5 }, /must be a URL, ioredis options or a factory, got: 5/],
    [{ connection: [] }, /must be a URL, ioredis options or a factory, got: an array/],
    [{ connection: new URL('redis://u:p@h:1') }, /must be a URL as a text; pass its href/],
    [{ connection: { hots: 'a' } }, /unknown option "hots", did you mean "host"\?/],
    [{ connection: { url: 'redis://u:p@h' } }, /unknown option "url"; what it holds is the connec/],
    [{ connection: { clusters: ['a'] } }, /unknown option "clusters", did you mean "cluster"\?/],
    [{ connection: { user: 'a' } }, /unknown option "user"; use username/],
    [{ connection: { cluster: ['a'], dnsLokup: 1 } }, /"dnsLokup", did you mean "dnsLookup"\?/],
    [{ connection: { cluster: undefined } }, /cluster must list at least one node/],
    [
      { connection: { cluster: ['a'], redisOptions: {} } },
      /"redisOptions"; what it holds stands b/,
    ],
    [{ connection: { cluster: [] } }, /cluster must list at least one node/],
    [{ connection: { cluster: ['a:1', 'redis://u:p@b'] } }, /node of cluster must be "host:port"/],
    [{ connection: { cluster: [{ host: 'a', port: 0 }] } }, /node of cluster must be "host:port"/],
    [{ connection: { cluster: ['a'], db: 1 } }, /a cluster has database 0 only/],
    [{ connection: { cluster: ['a'], path: '/b' } }, /path is for one server/],
    [
      { connection: { cluster: ['a'], maxRetriesPerRequest: 3 } },
      /maxRetriesPerRequest is decided/,
    ],
    [{ connection: { cluster: ['a'], natMap: 'b' } }, /natMap must be an object/],
    [{ connection: { cluster: ['a'], dnsLookup: 'b' } }, /dnsLookup must be a function, got: "b"/],
    [
      { connection: { cluster: ['a'], slotsRefreshTimeout: 0 } },
      /slotsRefreshTimeout must be an integer of at least 1/,
    ],
    [
      { connection: { cluster: ['a'], scaleReads: 'slave' } },
      /: scaleReads is decided by the library \("master"\), got: "slave"/,
    ],
    [
      { connection: { cluster: ['a'], clusterRetryStrategy: () => 5 } },
      /: clusterRetryStrategy is decided by the library; leave it out/,
    ],
    [{ connection: { keyPrefix: 'x:' } }, /keyPrefix is not supported; use namespace/],
    [
      { connection: { autoResendUnfulfilledCommands: true } },
      /autoResendUnfulfilledCommands is decided/,
    ],
    [{ connection: { maxRetriesPerRequest: 20 } }, /maxRetriesPerRequest is decided/],
    [{ connection: { enableOfflineQueue: true } }, /enableOfflineQueue is decided/],
    [{ connection: { commandTimeout: 100 } }, /commandTimeout is decided/],
    [{ connection: { blockingTimeout: 100 } }, /blockingTimeout is decided/],
    [{ connection: { monitor: true } }, /monitor is decided/],
    [{ connection: { replyMapping: 'resp3' } }, /replyMapping is decided/],
    [{ connection: { enableAutoPipelining: true } }, /enableAutoPipelining is decided/],
    [{ connection: { retryStrategy: () => null } }, /retryStrategy is decided/],
    [{ connection: { db: -1 } }, /db must be an integer/],
    [{ connection: { sentinels: [{ host: 'a' }] } }, /need the name of the master/],
    [
      { connection: { sentinels: [{ host: 'a' }], name: 'm', tls: {} } },
      /enableTLSForSentinelMode/,
    ],
    [
      { connection: { socketTimeout: 5_000 } },
      /blockMs \(5000\) must be below socketTimeout \(5000\)/,
    ],
    [{ blockMs: 6_000 }, /blockMs must be an integer from 1 to 5000/],
    [{ namespace: 'a:b' }, /namespace must be/],
    [{ conection: 'x' }, /unknown option "conection", did you mean "connection"\?/],
  ])('refuse %j', (options, text) => {
    expect(problems(options)).toEqual([expect.stringMatching(text)]);
  });

  it('pass on what a later ioredis may know, with one warning', () => {
    const plan = planned({ host: 'a', sentinelLimit: 1, frobs: 2, constructor: 3 });
    expect(plan.warnings).toEqual([
      'connection: the library does not know "sentinelLimit", "frobs", "constructor" and passes it on to ioredis',
    ]);
    expect(plan.make('commands').options).toMatchObject({ host: 'a', sentinelLimit: 1, frobs: 2 });
  });

  it('leave to a Connector of the user what it takes', () => {
    const Connector = class {};
    expect(planned({ Connector, hots: 'a', url: 'b', region: 'c' }).warnings).toEqual([]);
  });

  it('skip what is undefined', () => {
    const { given } = made({
      connection: Object.assign(
        { host: 'a', socketTimeout: undefined, retryStrategy: undefined },
        { url: undefined, hots: undefined },
      ) as RedisOptions,
    });
    expect(given).toMatchObject({ host: 'a', socketTimeout: 5_000 });
    expect(given).not.toHaveProperty('url');
    expect(planned({ cluster: ['a:1'], db: undefined, dnsLookup: undefined }).warnings).toEqual([]);
  });

  it('say what does nothing without a cluster', () => {
    expect(planned({ host: 'a', scaleReads: 'slave', dnsLookup: () => {} }).warnings).toEqual([
      'connection: only a cluster has a use for scaleReads, dnsLookup; not used here',
    ]);
  });

  it('look the nodes of a cluster up as told, and with TLS leave their names as they are', async () => {
    const told = {
      cluster: ['shop.invalid:1'],
      tls: {},
      slotsRefreshTimeout: 2_000,
      scaleReads: 'master',
    };
    const asked = await new Promise((resolve) => {
      const dnsLookup = (host: string, callback: (error: Error) => void): void => {
        client.disconnect();
        callback(new Error('nowhere'));
        resolve([host, client.options.slotsRefreshTimeout]);
      };
      const client = planned({ ...told, dnsLookup }).cluster!.connect();
      client.on('error', () => {});
    });
    expect(asked).toEqual(['shop.invalid', 2_000]);
    const plain = planned(told).cluster!.connect();
    plain.on('error', () => {}).disconnect();
    const found = await new Promise((resolve) => {
      plain.options.dnsLookup!('shop.invalid', (_, address) => resolve(address));
    });
    expect(found).toBe('shop.invalid');
  });

  it('refuse a client that is in use elsewhere', () => {
    const client = new Redis({ lazyConnect: true });
    expect(problems({ connection: client })).toEqual([expect.stringMatching(/in use elsewhere/)]);
  });

  it('name every problem at once', () => {
    expect(
      problems({ namespace: '', blockMs: 0, connection: { keyPrefix: 'x', db: 1.5 } }),
    ).toHaveLength(4);
  });

  it('check what a factory makes, and that it makes a client for each call', () => {
    const plan = (connection: RedisStoresOptions['connection']) =>
      planConnection({ namespace: 'shop', connection }, () => new Redis({ lazyConnect: true }));
    const careless = plan(() => new Redis({ lazyConnect: true }));
    expect(() => careless.make('blocking')).toThrow(
      /maxRetriesPerRequest is decided by the library \(0\), got: 20/,
    );
    const shared = new Redis({ lazyConnect: true });
    const one = plan((_role, options) =>
      Object.assign(shared, { options: { ...shared.options, ...options } }),
    );
    one.make('commands');
    expect(() => one.make('blocking')).toThrow(/same client twice/);
  });

  it.each([
    [async () => new Redis({ lazyConnect: true }), /at once, got: a promise/],
    [() => null, /must make a client of ioredis, got: null/],
    [() => ({ connect() {} }), /must make a client of ioredis, got: an object/],
    [() => new Cluster(['a:1'], { lazyConnect: true }), /a cluster is \{ cluster/],
  ])('say what a factory should have made (%#)', (factory, text) => {
    const connection = factory as unknown as RedisStoresOptions['connection'];
    const plan = planConnection({ namespace: 'shop', connection }, () => new Redis());
    expect(() => plan.make('commands')).toThrow(text);
  });
});
