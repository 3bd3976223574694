import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { MINE, prepared } from '../contract/halves.js';
import { QUEUE } from '../contract/messages.js';
import { entries, newNamespace, openStores, session } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

const DAY_MS = 86_400_000;

describe('a key of another type is refused before anything changes', () => {
  const own = ownServer();
  let keys: Keys;
  let stores: RedisStores;
  let generation: number;
  let now: number;

  beforeEach(async () => {
    const namespace = newNamespace();
    keys = new Keys({ namespace });
    now = Date.now();
    stores = await openStores(own.url, { namespace, now: () => now });
    const settings = { queues: 1, retentionMs: DAY_MS };
    ({ generation } = await stores.topics.declare(QUEUE.topic, settings));
  });
  afterEach(() => stores.close());

  it('when old messages are dropped', async () => {
    const { log, only } = keys.queue(QUEUE);
    await stores.log.append(session(QUEUE.topic, generation).call(entries('a', 'b')));
    now += 2 * DAY_MS;
    await own.redis.set(only, 'other');
    await expect(stores.log.trim(QUEUE, 100)).rejects.toMatchObject({ reason: 'WRONGTYPE' });
    expect(await own.redis.xlen(log)).toBe(2);
    await own.redis.del(only);
    expect(await stores.log.trim(QUEUE, 100)).toBe(2);
  });

  it('but who joins a group is not, where only what it was last seen by is such a key', async () => {
    await own.redis.set(keys.seen(QUEUE.topic), 'other');
    const join = { group: 'billing', mode: 'unordered', filterDigest: '', from: 'latest' } as const;
    expect(await stores.topics.joinGroup(QUEUE.topic, join)).toMatchObject({ state: 'joined' });
    expect(await own.redis.hkeys(keys.topic(QUEUE.topic).groups)).toEqual(['billing']);
  });

  it.each(['checks', 'parkedHalves'] as const)(
    'when a half is asked about at once, and that key is its %s',
    async (name) => {
      const [id] = await prepared(stores, 'a');
      await stores.halves.park(MINE, [{ id: id!, reason: 'why' }]);
      const of = keys.halfQueue(MINE);
      const before = await own.redis.dumpBuffer(of[name]);
      const half = await own.redis.hgetallBuffer(of.half);
      await own.redis.set(of[name], 'other');
      await expect(stores.halves.unpark(MINE, [id!])).rejects.toMatchObject({
        reason: 'WRONGTYPE',
      });
      expect(await own.redis.hgetallBuffer(of.half)).toEqual(half);
      await own.redis.del(of[name]);
      if (name === 'parkedHalves') await own.redis.restore(of[name], 0, before);
      expect(await stores.halves.unpark(MINE, [id!])).toEqual([{ id, state: 'extended' }]);
      expect(await stores.halves.count(QUEUE)).toEqual({ waiting: 1, parked: 0 });
    },
  );

  it.each([
    ['commit', 'committed'],
    ['rollback', 'rolled-back'],
  ] as const)(
    'when what counts the halves is one, and the end of a half is %s',
    async (move, state) => {
      const [id] = await prepared(stores, 'a');
      const { meta, half, log } = keys.halfQueue(MINE);
      const before = await own.redis.dumpBuffer(meta);
      const kept = await own.redis.hgetallBuffer(half);
      await own.redis.set(meta, 'other');
      await expect(stores.halves[move](MINE, [id!])).rejects.toMatchObject({ reason: 'WRONGTYPE' });
      expect(await own.redis.hgetallBuffer(half)).toEqual(kept);
      expect(await own.redis.xlen(log)).toBe(0);
      await own.redis.del(meta);
      await own.redis.restore(meta, 0, before);
      expect(await stores.halves[move](MINE, [id!])).toMatchObject([{ id, state }]);
      expect(await stores.halves.count(QUEUE)).toEqual({ waiting: 0, parked: 0 });
    },
  );
});
