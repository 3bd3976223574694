import { Rivulet } from '../../lib/core/rivulet.js';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { newNamespace, openStores } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

const REFS = [0, 1].map((queue) => ({ topic: 'orders', queue }));

describe('a queue that a failover forgot, of a topic that is there', () => {
  const server = ownServer();

  /** As where the declaration was cut off, or where the node of the queue had not told its replica. */
  const forget = async (keys: Keys): Promise<void> => {
    for (const ref of REFS) await server.redis.del(keys.queue(ref).meta, keys.queue(ref).log);
  };

  it('is opened again by who sends, also where topics are not made by sends', async () => {
    const namespace = newNamespace();
    const stores = new RedisStores({ connection: server.url, namespace });
    const rivulet = new Rivulet({ stores, settings: { autoCreateTopics: false } });
    const keys = new Keys({ namespace });
    await rivulet.open();
    await stores.topics.declare('orders', { queues: 2 });
    const { producer } = rivulet;
    await producer.send('orders', 'm1', { queue: 0 });
    await forget(keys);
    await producer.send('orders', 'm2', { queue: 0 });
    await producer.send('orders', 'm3', { queue: 1 });
    // A growth, of which one of the queues knows nothing any more.
    await stores.topics.alter('orders', { queues: 4 });
    await server.redis.hset(keys.queue(REFS[0]!).meta, 'generation', '1', 'version', '1');
    await producer.send('orders', 'm4', { queue: 0 });
    expect(await server.redis.xlen(keys.queue(REFS[0]!).log)).toBe(2);
    await rivulet.stop();
  });

  it('is opened again by who joins a group', async () => {
    const namespace = newNamespace();
    const stores = await openStores(server.url, { namespace });
    await stores.topics.declare('orders', { queues: 2 });
    await forget(new Keys({ namespace }));
    const join = {
      group: 'billing',
      mode: 'unordered',
      filterDigest: '',
      from: 'earliest',
    } as const;
    expect(await stores.topics.joinGroup('orders', join)).toMatchObject({ state: 'joined' });
    await stores.close();
  });
});
