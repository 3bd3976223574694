import { inspect } from 'node:util';
import { RivuletError } from '../../lib/core/message/errors.js';
import type { Logger } from '../../lib/core/runtime/logger.js';
import { refusalReason, storeError } from '../../lib/redis/errors.js';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { Redis } from 'ioredis';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { entries, newNamespace, openStores, session } from './helpers/open-stores.js';

const PASSWORD = 'canary-password';
const PAYLOAD = 'canary-payload';

describe('errors of the Redis stores', () => {
  const namespace = newNamespace();
  const lines: string[] = [];
  const logger: Logger = {
    error: (line) => lines.push(line),
    warn: (line) => lines.push(line),
    log: (line) => lines.push(line),
    debug: (line) => lines.push(line),
  };
  let server: TestRedis;
  let redis: Redis;

  beforeAll(async () => {
    server = await startRedis({ args: ['--requirepass', PASSWORD] });
    redis = new Redis(server.url, { password: PASSWORD });
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });
  const url = (password: string) => server.url.replace('//', `//:${password}@`);

  /** The whole chain, as a logger that knows no mercy would write it. */
  const written = (error: unknown) =>
    `${inspect(error, { depth: 20, showHidden: true })} ${JSON.stringify(error, Object.getOwnPropertyNames(error as object))}`;

  const failure = async (action: Promise<unknown>): Promise<unknown> => {
    const error = await action.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(RivuletError);
    return error;
  };

  it('hold neither password nor payload, in any failure', async () => {
    const errors: unknown[] = [];
    const wrong = new RedisStores({ connection: url(`${PASSWORD}2`), namespace, logger });
    errors.push(await failure(wrong.open(20_000)));
    await wrong.close();

    const stores = await openStores(url(PASSWORD), { namespace, logger });
    const keys = new Keys({ namespace });
    const { generation } = await stores.topics.declare('orders', { queues: 1 });
    const ref = { topic: 'orders', queue: 0 };
    const append = () =>
      stores.log.append(session('orders', generation).call(entries(PAYLOAD, PAYLOAD)));

    await redis.set(keys.queue(ref).log, 'other');
    errors.push(await failure(append()));
    await redis.del(keys.queue(ref).log);
    await redis.config('SET', 'maxmemory', '1');
    errors.push(await failure(append()));
    await redis.config('SET', 'maxmemory', '0');
    const settled = {
      offset: '1-1',
      deliveryCount: 2,
      settlement: { kind: 'dead-letter', note: PAYLOAD },
    } as const;
    await redis.set(keys.groupQueue({ ...ref, group: 'g' }).dead, 'other');
    await redis.xgroup('CREATE', keys.queue(ref).log, 'g', '0', 'MKSTREAM');
    errors.push(await failure(stores.deliveries.settle({ ...ref, group: 'g' }, 'c', [settled])));

    await server.kill('SIGSTOP');
    const underWay = failure(append());
    await server.kill();
    errors.push(await underWay, await failure(append()));
    const late = new RedisStores({ connection: url(PASSWORD), namespace, logger });
    errors.push(await failure(late.open(1_100)));
    await Promise.all([late.close(), stores.close()]);
    errors.push(await failure(append()));

    const text = [...errors.map(written), ...lines].join('\n');
    expect(text).not.toContain(PAYLOAD);
    expect(text).not.toContain(PASSWORD);
    expect(text).toContain('redis://:***@127.0.0.1');
    expect(lines.length).toBeGreaterThan(0);
    await server.restart();
  });
});

describe('one boundary', () => {
  const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' });

  it.each([
    ['OOM command not allowed when used memory > maxmemory', 'OOM'],
    [
      'WRONGTYPE Operation against a key holding the wrong kind of value script: abc, on @user_script:5.',
      'WRONGTYPE',
    ],
    ["READONLY You can't write against a read only replica.", 'READONLY'],
    ['MISCONF Errors writing to the AOF file: No space left on device', 'MISCONF'],
    ["NOPERM User poor has no permissions to run the 'evalsha' command", 'NOPERM'],
    ['ERR ACL failure in script: NOPERM User poor has no permissions', 'NOPERM'],
    ["ERR The user executing the script can't run this command or subcommand script: a", 'NOPERM'],
    ['BUSY Redis is busy running a script.', 'BUSY'],
    ['LOADING Redis is loading the dataset in memory', 'LOADING'],
    ['CLUSTERDOWN Hash slot not served', 'CLUSTERDOWN'],
    ['NOREPLICAS Not enough good replicas to write.', 'NOREPLICAS'],
    ['NOAUTH Authentication required.', 'NOAUTH'],
  ])('knows that nothing happened after "%s"', (text, reason) => {
    expect(storeError(reply(text), { operation: 'append' })).toMatchObject({
      code: 'STORE_REFUSED',
      reason,
    });
  });

  it('says what Redis said, without where in a script that was', () => {
    const said =
      'WRONGTYPE Operation against a key holding the wrong kind of value script: 6011ab, on @user_script:119.';
    expect(storeError(reply(said), { operation: 'append', key: 'k' }).message).toBe(
      'Redis refused append on k: WRONGTYPE Operation against a key holding the wrong kind of value. Nothing changed. The key holds something else; delete it or choose another namespace.',
    );
  });

  it('knows what ioredis never sent', () => {
    const unsent = new Error("Stream isn't writeable and enableOfflineQueue options is false");
    expect(refusalReason(unsent)).toBe('NOT_SENT');
  });

  it.each([
    [
      "Stream isn't writeable and enableOfflineQueue options is false",
      'Redis was not asked append: it is not connected. Nothing changed. Try again in a moment.',
    ],
    [
      'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
      'Redis did not answer append: the connection broke. Whether it acted is not known; the call can be repeated',
    ],
    [
      "Socket timeout. Expecting data, but didn't receive any in 5000ms.",
      'Redis did not answer append: no answer for 5000 ms. Whether it acted is not known; the call can be repeated',
    ],
  ])('says "%s" in plain words, and keeps it as the cause', (text, said) => {
    const told = storeError(new Error(text), { operation: 'append' });
    expect(told.message).toBe(said);
    expect((told.cause as Error).message).toBe(text);
  });

  it.each([
    ['Connection is closed.', 'Error'],
    ['Reached the max retries per request limit (which is 0).', 'MaxRetriesPerRequestError'],
    ['Command aborted due to connection close', 'AbortError'],
    ['read ECONNRESET', 'Error'],
    ['OOM as somebody else would say it', 'Error'],
    [
      'ERR Error running script (call to f_1): @user_script:9: attempt to index a nil value',
      'ReplyError',
    ],
  ])('does not claim to know after "%s"', (message, name) => {
    const error = Object.assign(new Error(message), { name });
    expect(storeError(error, { operation: 'append' })).toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});
