import { Redis } from 'ioredis';
import type { Rivulet } from '../../lib/core/rivulet.js';
import { joined } from '../../lib/core/message/joined.js';
import type { ReplyInbox } from '../../lib/core/store/reply-store.js';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, whenStored, within } from '../helpers/workload.js';

// Whoever asks would make its inbox again only after 20 s: an answer before that is the doing of whoever answers.
const REQUEST = { timeoutMs: 15_000 };

describe('An inbox of answers that Redis lost', () => {
  let redis: TestRedis;
  let asking: Rivulet;
  let answering: Rivulet;
  let handler: (body: unknown) => unknown;

  beforeEach(async () => {
    // What it holds does not outlive it.
    redis = await startRedis({ persistence: 'none' });
    asking = connect(redis.url, 'asked');
    answering = connect(redis.url, 'asked');
    handler = (body) => body;
    answering.subscribe({
      topic: 'quotes',
      group: 'pricing',
      origin: 'pricing',
      reply: true,
      handler: ({ body }) => handler(body),
    });
    await answering.consume();
    await asking.open();
    await asking.requester.request('quotes', 'first');
  });
  afterEach(async () => {
    await Promise.all([asking.stop(2_000), answering.stop(2_000)]);
    await redis.stop();
  });

  const flush = async (): Promise<void> => {
    const operator = new Redis(redis.url);
    await operator.flushall();
    operator.disconnect();
  };

  it('is there again for the answer of a handler that was at work', async () => {
    handler = async (body) => {
      await flush();
      return body;
    };
    await expect(asking.requester.request('quotes', 'a', REQUEST)).resolves.toBe('a');
  });

  it('is there again for what is asked afterwards', async () => {
    await flush();
    await expect(asking.requester.request('quotes', 'b', REQUEST)).resolves.toBe('b');
  });

  it('is there again after Redis was restarted empty', async () => {
    const isLost = asking.events.next('connection', ({ state }) => state === 'lost');
    await redis.kill();
    await isLost;
    await redis.restart();
    await expect(asking.requester.request('quotes', 'c', REQUEST)).resolves.toBe('c');
  });

  it('is read from its start when it was made on a server whose clock is behind', async () => {
    const namespace = 'behind';
    const stores = new RedisStores({ connection: redis.url, namespace });
    await stores.open(20_000);
    const options = { ttlMs: 60_000, maxBytes: 1_000_000 };
    const opened = await stores.replies.openInbox(options);
    // As it does three times in each lifetime.
    const { renew } = opened as ReplyInbox & { renew(): Promise<void> };
    const { inbox, room } = new Keys({ namespace }).inbox(opened.address);
    const read = async (): Promise<string[]> =>
      (await opened.read({ blockMs: 0, signal: new AbortController().signal })).map(String);
    const operator = new Redis(redis.url);
    await operator.xadd(inbox, `${Date.now() + 3_600_000}-0`, 'p', joined([Buffer.from('a')]));
    expect(await read()).toEqual(['a']);
    for (const revive of [true, false]) {
      await operator.unlink(inbox, room);
      if (revive) await stores.replies.revive(opened.address, options);
      else await renew.call(opened);
      await stores.replies.reply(opened.address, Buffer.from('b'));
      await renew.call(opened);
      expect(await read()).toEqual(['b']);
      await operator.xadd(inbox, `${Date.now() + 3_600_000}-0`, 'p', joined([Buffer.from('c')]));
      expect(await read()).toEqual(['c']);
    }
    operator.disconnect();
    await opened.close();
    await stores.close();
  });

  it('is read from its start also when the answer that told of it was lost', async () => {
    const namespace = 'unheard';
    const stores = new RedisStores({ connection: redis.url, namespace });
    await stores.open(20_000);
    const opened = await stores.replies.openInbox({ ttlMs: 60_000, maxBytes: 1_000_000 });
    const { renew } = opened as ReplyInbox & { renew(): Promise<void> };
    const { inbox, room } = new Keys({ namespace }).inbox(opened.address);
    const read = async (): Promise<string[]> =>
      (await opened.read({ blockMs: 0, signal: new AbortController().signal })).map(String);
    const operator = new Redis(redis.url);
    const ahead = Date.now() + 3_600_000;
    await operator.xadd(inbox, `${ahead}-0`, 'p', joined([Buffer.from('a')]));
    expect(await read()).toEqual(['a']);
    // As on another server: made anew, and nobody heard it.
    await operator.unlink(inbox, room);
    await operator.xadd(inbox, 'MAXLEN', 0, '*', 'p', '');
    await stores.replies.reply(opened.address, Buffer.from('b'));
    await renew.call(opened);
    expect(await read()).toEqual(['b']);
    await renew.call(opened);
    await stores.replies.reply(opened.address, Buffer.from('c'));
    expect(await read()).toEqual(['c']);
    operator.disconnect();
    await opened.close();
    await stores.close();
  });

  it('is made again by whoever asks with the next read, once its connection broke', async () => {
    const stores = new RedisStores({ connection: redis.url, namespace: 'broke' });
    await stores.open(20_000);
    const inbox = await stores.replies.openInbox({ ttlMs: 60_000, maxBytes: 1_000_000 });
    const never = new AbortController().signal;
    const reading = inbox.read({ blockMs: 20_000, signal: never }).catch(() => 'lost');
    const operator = new Redis(redis.url);
    const waiting = async () => String(await operator.client('LIST')).includes('cmd=xread ');
    await within(60_000, 'a read that waits', whenStored(waiting));
    operator.disconnect();
    await redis.kill();
    await redis.restart();
    expect(await reading).toBe('lost');
    const isReady = async () => stores.availability.ready;
    await within(60_000, 'the connection', whenStored(isReady));
    expect(await inbox.read({ blockMs: 0, signal: never })).toEqual([]);
    expect(await stores.replies.reply(inbox.address, Buffer.from('a'))).toBe('sent');
    await inbox.close();
    await stores.close();
  });

  it('takes a large answer, too', async () => {
    handler = () => 'x'.repeat(100_000);
    await flush();
    await expect(asking.requester.request('quotes', 'd', REQUEST)).resolves.toHaveLength(100_000);
  });
});
