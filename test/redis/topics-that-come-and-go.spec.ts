import { Rivulet } from '../../lib/core/rivulet.js';
import { Keys } from '../../lib/redis/keys.js';
import type { SubscribeOptions } from '../../lib/core/subscriptions.js';
import { whenStored } from '../helpers/workload.js';
import { newNamespace, openStores } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

const GROUP = { messageGroup: 'g' };

describe('a subscription on a real Redis', () => {
  const own = ownServer();
  let rivulets: Rivulet[];
  let namespace: string;

  beforeEach(() => {
    rivulets = [];
    namespace = newNamespace();
  });
  afterEach(() => Promise.all(rivulets.map((rivulet) => rivulet.stop())));

  async function open(): Promise<Rivulet> {
    const stores = await openStores(own.url, { namespace });
    const rivulet = new Rivulet({
      stores,
      settings: { topics: { queues: 2 }, consumer: { quarantineMs: 100, blockMs: 200 } },
    });
    rivulets.push(rivulet);
    await rivulet.open();
    return rivulet;
  }

  /** Subscribes; the returned function resolves with the next topic and body. */
  async function subscribe(
    options: Partial<Parameters<Rivulet['subscribe']>[0]>,
  ): Promise<() => Promise<string>> {
    const rivulet = await open();
    const handled: string[] = [];
    let wake = (): void => {};
    rivulet.subscribe({
      topic: 'order.*',
      group: 'audit',
      origin: 'test',
      handler: ({ message, body }) => {
        handled.push(`${message.topic} ${String(body)}`);
        wake();
      },
      ...options,
    });
    await rivulet.consume();
    return async () => {
      while (handled.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return handled.shift()!;
    };
  }

  it.each<[string, Partial<SubscribeOptions>]>([
    ['unordered', {}],
    ['ordered', { ordered: true }],
    ['a broadcast', { mode: 'broadcasting' }],
  ])(
    'to a pattern (%s) goes on when one of its topics is removed, and made anew, while it waits',
    async (_, options) => {
      const { producer, stores } = await open();
      for (const topic of ['order.a', 'order.b']) await stores.topics.declare(topic);
      const next = await subscribe(options);
      await producer.send('order.a', 1, GROUP);
      expect(await next()).toBe('order.a 1');
      await stores.topics.remove('order.a');
      await producer.send('order.b', 2, GROUP);
      expect(await next()).toBe('order.b 2');
      expect(await stores.topics.list()).toEqual(['order.b']);
      const other = await open();
      for (const body of ['anew', 'and on']) await other.producer.send('order.a', body, GROUP);
      await other.producer.send('order.c', 'new', GROUP);
      const got = [await next(), await next(), await next()];
      const [anew, others] = [true, false].map((is) =>
        got.filter((line) => line.startsWith('order.a ') === is),
      );
      // All of one queue: nothing has a reason to come in another order.
      expect({ anew, others }).toEqual({
        anew: ['order.a anew', 'order.a and on'],
        others: ['order.c new'],
      });
      // Nothing of a topic that is gone stays behind, or comes back, but what tells of its end.
      const left = async (): Promise<string[]> => own.redis.keys(`{${namespace}:order.a*`);
      const note = `{${namespace}:order.a}:deleted`;
      await stores.topics.remove('order.a');
      await whenStored(async () => (await left()).join() === note);
      await producer.send('order.b', 3, GROUP);
      expect(await next()).toBe('order.b 3');
      expect(await stores.topics.list()).toEqual(['order.b', 'order.c']);
      expect(await left()).toEqual([note]);
    },
  );

  it('that broadcasts goes on when a key is of a wrong type, and is mended', async () => {
    const { producer, stores } = await open();
    await stores.topics.declare('prices', { queues: 2 });
    const next = await subscribe({ topic: 'prices', mode: 'broadcasting' });
    const { log } = new Keys({ namespace }).queue({ topic: 'prices', queue: 0 });
    await own.redis.set(log, 'no stream');
    await producer.send('prices', 1, { queue: 1 });
    expect(await next()).toBe('prices 1');
    await own.redis.del(log);
    await producer.send('prices', 2, { queue: 0 });
    expect(await next()).toBe('prices 2');
  });
});
