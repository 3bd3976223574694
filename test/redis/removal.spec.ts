import { Rivulet } from '../../lib/core/rivulet.js';
import { MessageAdmin } from '../../lib/inspect/message-admin.js';
import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { interruptedRegistry } from './helpers/interrupted-registry.js';
import { entries, newNamespace, openStores, session } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

const GROUP = { group: 'billing', mode: 'unordered', filterDigest: '', from: 'earliest' } as const;
/** More commands than a removal sends. */
const MOST_COMMANDS = 40;

const own = ownServer();

describe('a topic that is made anew while another process removes it', () => {
  let stores: RedisStores;
  let keys: Keys;
  beforeEach(async () => {
    const namespace = newNamespace();
    keys = new Keys({ namespace });
    stores = await openStores(own.url, { namespace });
  });
  afterEach(() => stores.close());

  it('is there afterwards, with all that is in it, whenever that happens', async () => {
    let moments = 0;
    for (let nth = 0; nth < MOST_COMMANDS; nth++) {
      const topic = `orders-${nth}`;
      await stores.topics.declare(topic, { queues: 2 });
      await stores.topics.joinGroup(topic, GROUP);
      const { registry, happened } = interruptedRegistry({
        stores,
        keys,
        nth,
        before: async () => {
          await stores.topics.remove(topic);
          const { generation } = await stores.topics.declare(topic, { queues: 2 });
          await stores.topics.joinGroup(topic, GROUP);
          for (const queue of [0, 1])
            await stores.log.append(session(topic, generation, queue).call(entries('kept')));
        },
      });
      await registry.remove(topic);
      if (!happened()) break;
      moments += 1;
      // Before its first command nothing has begun: that removal is of the new topic.
      const isThere = (await stores.topics.find(topic)) !== undefined;
      expect([nth, isThere]).toEqual([nth, nth > 0]);
      if (!isThere) continue;
      expect(await stores.topics.list()).toContain(topic);
      expect(await stores.topics.groups(topic)).toHaveLength(1);
      for (const queue of [0, 1])
        expect([nth, await stores.log.extent({ topic, queue })]).toMatchObject([
          nth,
          { length: 1 },
        ]);
    }
    expect(moments).toBeGreaterThan(4);
    expect(moments).toBeLessThan(MOST_COMMANDS);
  });

  it('stays when a second one found the same removal cut off, and completes it', async () => {
    let moments = 0;
    for (let nth = 0; nth < MOST_COMMANDS; nth++) {
      const topic = `orders-${nth}`;
      const { generation: first } = await stores.topics.declare(topic);
      await stores.topics['host'].redis.hset(keys.topic(topic).meta, ...['removing', '1']);
      let anew = first;
      const { registry, happened } = interruptedRegistry({
        stores,
        keys,
        nth,
        before: async () => {
          anew = (await stores.topics.declare(topic)).generation;
        },
      });
      await registry.declare(topic);
      if (!happened()) break;
      moments += 1;
      expect(await stores.topics.find(topic)).toMatchObject({ generation: anew });
    }
    expect(moments).toBeGreaterThan(4);
    expect(moments).toBeLessThan(MOST_COMMANDS);
  });
});

describe('a removal that fails after it began', () => {
  it('is completed by deleting the topic again', async () => {
    const namespace = newNamespace();
    const stores = await openStores(own.url, { namespace });
    const rivulet = new Rivulet({ stores });
    await rivulet.open();
    const admin = new MessageAdmin({ rivulet });
    await admin.createTopic('orders');
    await rivulet.producer.send('orders', 'a');
    const keys = new Keys({ namespace });
    await own.redis.set(keys.grown, 'of somebody else');
    await expect(admin.deleteTopic('orders')).rejects.toMatchObject({ reason: 'WRONGTYPE' });
    await own.redis.unlink(keys.grown);

    expect(await admin.deleteTopic('orders')).toBe(true);
    expect(await own.redis.keys(`{${namespace}:orders*`)).toEqual([keys.deleted('orders')]);
    expect(await admin.deleteTopic('orders')).toBe(false);
    await rivulet.stop(1_000);
  });
});
