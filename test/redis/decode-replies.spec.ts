import { jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { decodeReplies } from '../../lib/redis/decode-replies.js';
import { ReplyDecoder } from '../../lib/redis/reply-decoder.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { openStores } from './helpers/open-stores.js';

describe('replies of a server', () => {
  let server: TestRedis;

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it.each([2, 3] as const)('are what ioredis makes of them (RESP%i)', async (protocol) => {
    const big = Buffer.alloc(300_000, 'y');
    const asked: (string | Buffer | number)[][] = [
      ['set', 'blob', big],
      ['get', 'blob'],
      ['get', 'nothing'],
      ['incr', 'number'],
      ['hset', 'hash', 'a', '1', 'b', '2'],
      ['hgetall', 'hash'],
      ['zadd', 'scores', '1.5', 'one'],
      ['zscore', 'scores', 'one'],
      ['zrange', 'scores', '0', '-1', 'WITHSCORES'],
      ['sadd', 'set', 'x'],
      ['smembers', 'set'],
      ['xadd', 'stream', '1-1', 'f', 'v'],
      ['xadd', 'stream', '1-2', 'f', big],
      ['xread', 'COUNT', '5', 'STREAMS', 'stream', '0'],
      ['xread', 'COUNT', '5', 'STREAMS', 'stream', '9'],
      ['xinfo', 'STREAM', 'stream'],
      ['config', 'GET', 'max*'],
      ['lpush', 'hash', 'x'],
      ['eval', "return { 1, { 'a', { 'b' } }, false, redis.error_reply('WORD no') }", '0'],
      ['eval', 'redis.setresp(3) return { double = 1.25 }', '0'],
      ['evalsha', '0'.repeat(40), '0'],
      ['multi'],
      ['get', 'number'],
      ['lpush', 'hash', 'x'],
      ['exec'],
    ];
    const answers = async (isOurs: boolean): Promise<unknown[]> => {
      const client = new Redis(server.url, { protocol });
      if (isOurs) client.on('connect', () => decodeReplies(client));
      await client.flushall();
      const all = await Promise.allSettled(
        asked.map(([name, ...args]) => client.callBuffer(name as string, ...args)),
      );
      client.disconnect();
      return all;
    };
    expect(await answers(true)).toEqual(await answers(false));
  });

  it('are decoded here for every connection of the stores, those that read included', async () => {
    const write = jest.spyOn(ReplyDecoder.prototype, 'write');
    const stores = await openStores(server.url);
    const decoders = (): number => new Set(write.mock.contexts).size;
    expect(decoders()).toBe(1);
    const queue = { topic: 'orders', queue: 0 };
    const reader = stores.deliveries.openReader('billing', 'me');
    const { signal } = new AbortController();
    await reader.read({ queues: [queue], perQueue: 1, blockMs: 10, signal }).catch(() => {});
    expect(decoders()).toBe(2);
    await reader.close();
    await stores.close();
    write.mockRestore();
  });

  it('that cannot be understood end the connection, and whoever waits hears of it', async () => {
    const client = new Redis(server.url, {
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
    });
    client.on('error', () => {});
    client.on('connect', () => decodeReplies(client));
    await client.ping();
    const waits = client.blpop('never', 0);
    client.stream.emit('data', Buffer.from('*1\r\n?\r\n'));
    await expect(waits).rejects.toThrow('max retries per request');
    await expect(client.ping()).resolves.toBe('PONG');
    client.disconnect();
  });
});
