import { joined } from '../../lib/core/message/joined.js';
import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { newNamespace, openStores } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

const own = ownServer();

describe('an inbox in Redis', () => {
  const namespace = newNamespace();
  let stores: RedisStores;
  beforeAll(async () => {
    stores = await openStores(own.url, { namespace });
  });
  afterAll(() => stores.close());

  /** With so many entries of one packet each, as if as many turns had answered. */
  async function inboxOf(entries: number) {
    const inbox = await stores.replies.openInbox({ ttlMs: 60_000, maxBytes: 1_000_000 });
    const key = new Keys({ namespace }).inbox(inbox.address).inbox;
    const fill = "for _ = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'p', ARGV[2]) end";
    await own.redis.eval(fill, 1, key, entries, joined([Buffer.from('a')]));
    const read = () => inbox.read({ blockMs: 0, signal: new AbortController().signal });
    return { inbox, key, read };
  }

  it('leaves nothing behind when nobody reads it, made by whoever asks or by whoever answers', async () => {
    const { inbox, key } = await inboxOf(1);
    const { room } = new Keys({ namespace }).inbox(inbox.address);
    const lives = () => Promise.all([key, room].map((each) => own.redis.pttl(each)));
    for (const left of await lives()) expect(left).toBeGreaterThan(0);
    await own.redis.unlink(key, room);
    await stores.replies.revive(inbox.address, { ttlMs: 60_000, maxBytes: 1_000_000 });
    await stores.replies.reply(inbox.address, Buffer.alloc(10_000));
    for (const left of await lives()) expect(left).toBeGreaterThan(0);
    await inbox.close();
    expect(await own.redis.exists(key, room)).toBe(0);
  });

  it('keeps about ten thousand entries that nobody reads, however small: the oldest give way', async () => {
    const { inbox, key } = await inboxOf(10_500);
    expect(await stores.replies.reply(inbox.address, Buffer.from('b'))).toBe('sent');
    const left = await own.redis.xlen(key);
    expect(left).toBeGreaterThanOrEqual(10_000);
    expect(left).toBeLessThan(10_500);
    await inbox.close();
  });

  it('keeps the order of packets where Redis has forgotten its scripts', async () => {
    const { inbox, read } = await inboxOf(0);
    await own.redis.script('FLUSH');
    const packets = [Buffer.alloc(10_000, 'a'), Buffer.from('b')];
    // Of two turns: not one entry.
    const sent: Promise<unknown>[] = [];
    for (const packet of packets) {
      sent.push(stores.replies.reply(inbox.address, packet));
      await new Promise(setImmediate);
    }
    await Promise.all(sent);
    expect(await read()).toEqual(packets);
    await inbox.close();
  });

  it('drops what was read, about a thousand entries at a time', async () => {
    const { inbox, key, read } = await inboxOf(1_500);
    let packets = 0;
    for (;;) {
      const { length } = await read();
      if (length === 0) break;
      packets += length;
    }
    expect(packets).toBe(1_500);
    expect(await own.redis.xlen(key)).toBeLessThan(600);
    await inbox.close();
  });
});
