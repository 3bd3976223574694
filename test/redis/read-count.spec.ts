import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { ownServer } from './helpers/own-server.js';
import { entries, newNamespace, openStores, session } from './helpers/open-stores.js';

const GROUP = 'billing';

/**
 * A replica of Redis 7.0 hears of what was read by XCLAIM, which moves the group and does not count. So does a server that starts
 * from its append-only file. What such a server says of a group afterwards is made by hand here: it takes the number.
 */
describe('how much a group was given, where Redis has counted too little', () => {
  const namespace = newNamespace();
  const keys = new Keys({ namespace });
  const own = ownServer();
  let stores: RedisStores;
  let topics = 0;

  beforeAll(async () => {
    stores = await openStores(own.url, { namespace });
  });
  afterAll(() => stores.close());

  /** Of `sent` messages so many were read; Redis believes that it was one. */
  async function miscounted({ sent, read }: { sent: number; read: number }) {
    const ref = { topic: `orders${++topics}`, queue: 0, group: GROUP };
    const { generation } = await stores.topics.declare(ref.topic, { queues: 1 });
    await stores.topics.joinGroup(ref.topic, {
      ...{ group: GROUP, mode: 'unordered', filterDigest: '', from: 'earliest' },
    });
    const producer = session(ref.topic, generation);
    const send = (count: number) =>
      stores.log.append(producer.call(entries(...Array.from({ length: count }, () => 'm'))));
    await send(sent);
    const { log } = keys.groupQueue(ref);
    const offsets = (await own.redis.xrange(log, '-', '+', 'COUNT', read)).map(
      ([offset]) => offset,
    );
    await own.redis.call('XGROUP', 'SETID', log, GROUP, offsets.at(-1)!, 'ENTRIESREAD', 1);
    const undelivered = async () => (await stores.deliveries.lag(ref)).undelivered;
    return { ref, send, undelivered };
  }

  it('nothing is left where everything was given', async () => {
    const { undelivered } = await miscounted({ sent: 300, read: 300 });
    expect(await undelivered()).toBe(0);
  });

  it('a few that are left are counted', async () => {
    const { undelivered } = await miscounted({ sent: 300, read: 295 });
    expect(await undelivered()).toBe(5);
  });

  it('many that are left are told too high, and not too low, until few were left', async () => {
    const { ref, undelivered } = await miscounted({ sent: 300, read: 100 });
    expect(await undelivered()).toBe(299);
    await stores.log.trim(ref, 100);
    expect(await undelivered()).toBe(299);
  });

  it('what cannot be is not said', async () => {
    const { ref, undelivered } = await miscounted({ sent: 300, read: 100 });
    const { log } = keys.groupQueue(ref);
    await own.redis.xtrim(log, 'MAXLEN', 250);
    expect(await undelivered()).toBeNull();
    await own.redis.xtrim(log, 'MAXLEN', 150);
    expect(await undelivered()).toBe(150);
  });

  it('more are counted by Redis, once the count was put right when a few were left', async () => {
    const { ref, send, undelivered } = await miscounted({ sent: 300, read: 295 });
    await stores.log.trim(ref, 100);
    await send(200);
    expect(await undelivered()).toBe(205);
  });
});
