import { jest } from '@jest/globals';
import { DuplicateSubscriptionError, RejectMessageError, tags } from 'nestjs-rivulet';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';

describe('a subscription to a pattern of topics', () => {
  let bed: TestBed;
  let handled: string[];

  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 2 } } });
    handled = [];
  });
  afterEach(() => bed.close());

  const subscribe = (options: Partial<TestSubscription> = {}, where = bed): Promise<void> =>
    where.subscribe({
      topic: 'order.*',
      group: 'audit',
      handler: ({ message, body }) => handled.push(`${message.topic} ${String(body)}`),
      ...options,
    });

  it('takes every topic that fits, in the same group, and no other', async () => {
    await bed.publish('order.created', 1);
    await bed.publish('order.paid', 2);
    await bed.publish('order.paid.late', 3);
    await bed.publish('orders', 4);
    await subscribe();
    await bed.advance(100);
    expect(handled.toSorted()).toEqual(['order.created 1', 'order.paid 2']);
    expect(await bed.stores.topics.groups('order.paid')).toEqual([
      { group: 'audit', mode: 'unordered', filterDigest: '' },
    ]);
    expect(await bed.stores.topics.groups('orders')).toEqual([]);
    expect(await bed.stores.topics.list()).not.toContain('order.*');
  });

  it('takes topics that are made while it runs, from their start', async () => {
    await subscribe({ from: 'latest' });
    await bed.publish('order.created', 1);
    await bed.publish('order.created', 2);
    await bed.advance(3_000);
    expect(handled.toSorted()).toEqual(['order.created 1', 'order.created 2']);
    await bed.publish('order.created', 3);
    await bed.advance(10);
    expect(handled.at(-1)).toBe('order.created 3');
  });

  it('reads a topic that was made while nobody ran from its start', async () => {
    await bed.publish('order.old', 'before');
    await bed.advance(10);
    await subscribe({ from: 'latest' });
    await bed.close();
    const producer = await bed.sibling();
    await producer.publish('order.old', 'after');
    await producer.publish('order.new', 'first');
    await producer.close();
    const later = await bed.sibling();
    await later.advance(60_000);
    await subscribe({ from: 'latest' }, later);
    await later.advance(100);
    expect(handled.toSorted()).toEqual(['order.new first', 'order.old after']);
    await later.close();
  });

  it('reads a topic from its start that was made after the clock of the store was set back', async () => {
    await subscribe({ from: 'latest' });
    bed.clock.set(bed.clock.now() - 3_600_000);
    await bed.publish('order.created', 1);
    await bed.advance(3_000);
    expect(handled).toEqual(['order.created 1']);
  });

  it('misses nothing of a topic that is made while it asks which topics there are', async () => {
    const { topics } = bed.stores;
    const list = topics.list.bind(topics);
    jest.spyOn(topics, 'list').mockImplementationOnce(async () => {
      const listed = await list();
      await bed.publish('order.created', 1);
      bed.clock.set(bed.clock.now() + 1_000);
      return listed;
    });
    await subscribe({ from: 'latest' });
    await bed.advance(3_000);
    expect(handled).toEqual(['order.created 1']);
  });

  it('retries, and gives up, in the topic where the message is', async () => {
    await subscribe({
      retry: { maxAttempts: 3, backoff: { fromMs: 1_000, jitter: 0 } },
      handler: ({ body, attempt }) => {
        if (body === 'bad') throw new RejectMessageError('bad');
        if (attempt < 3) throw new Error('not yet');
      },
    });
    const good = await bed.publish('order.a', 'good');
    const bad = await bed.publish('order.b', 'bad');
    await bed.advance(10_000);
    expect(await bed.settled(good.messageId)).toMatchObject({ state: 'acked', attempt: 3 });
    expect(await bed.settled(bad.messageId)).toMatchObject({ state: 'dead-lettered' });
    expect(await bed.deadLetters('order.b', 'audit')).toHaveLength(1);
  });

  it('shares its slots among all topics, and lets each have its turn', async () => {
    const running: (() => void)[] = [];
    let most = 0;
    for (const topic of ['order.a', 'order.b', 'order.c'])
      for (let i = 0; i < 10; i++) await bed.publish(topic, i);
    await subscribe({
      concurrency: 2,
      handler: ({ message }) => {
        handled.push(message.topic);
        return new Promise<void>((resolve) => {
          most = Math.max(most, running.push(resolve));
        });
      },
    });
    for (let i = 0; i < 30; i++) {
      await bed.advance(2);
      running.shift()!();
    }
    await bed.advance(100);
    expect(most).toBe(2);
    expect(handled).toHaveLength(30);
    expect(new Set(handled.slice(0, 15)).size).toBe(3);
  });

  it('reads as much at once as it may, whatever topics have nothing', async () => {
    for (let topic = 0; topic < 5; topic++) await bed.stores.topics.declare(`order.idle-${topic}`);
    for (let i = 0; i < 1_000; i++) await bed.publish('order.busy', i, { queue: 0 });
    let reads = 0;
    const { deliveries } = bed.stores;
    const openReader = deliveries.openReader.bind(deliveries);
    deliveries.openReader = (group, consumer) => {
      const reader = openReader(group, consumer);
      const read = reader.read.bind(reader);
      reader.read = (request) => {
        if (handled.length < 1_000) reads += 1;
        return read(request);
      };
      return reader;
    };
    await subscribe({ concurrency: 200 });
    await bed.advance(100);
    expect(handled).toHaveLength(1_000);
    // Queues are read in turns while one has a backlog: about a dozen questions to the others for each large read.
    expect(reads).toBeLessThan(120);
  });

  it('goes through a filter', async () => {
    await subscribe({ filter: tags('eu') });
    await bed.publish('order.a', 1, { tag: 'eu' });
    await bed.publish('order.a', 2, { tag: 'us' });
    await bed.advance(3_000);
    expect(handled).toEqual(['order.a 1']);
  });

  it('takes the same work in two topics for two', async () => {
    await subscribe({ idempotent: true });
    for (const topic of ['order.a', 'order.b', 'order.a'])
      await bed.publish(topic, topic, { dedupId: 'work-1' });
    await bed.advance(3_000);
    expect(handled.toSorted()).toEqual(['order.a order.a', 'order.b order.b']);
  });

  it('takes over in every topic what a process held that died', async () => {
    const other = await bed.sibling();
    await bed.publish('order.a', 1);
    await bed.publish('order.b', 2);
    await subscribe({ handler: () => new Promise(() => {}) });
    await bed.advance(10);
    await subscribe({}, other);
    bed.crash();
    await other.advance(60_000);
    expect(handled.toSorted()).toEqual(['order.a 1', 'order.b 2']);
    await other.close();
  });

  it('runs what may have killed a process alone, whichever topic it is in', async () => {
    const other = await bed.sibling();
    for (const topic of ['order.a', 'order.b']) await bed.publish(topic, topic);
    await subscribe({ handler: () => new Promise(() => {}) });
    await bed.advance(10);
    let running = 0;
    let most = 0;
    const finish: (() => void)[] = [];
    await subscribe(
      {
        handler: async ({ message }) => {
          handled.push(message.topic);
          most = Math.max(most, ++running);
          await new Promise<void>((resolve) => finish.push(resolve));
          running -= 1;
        },
      },
      other,
    );
    bed.crash();
    await other.advance(60_000);
    expect(handled).toHaveLength(1);
    finish.shift()!();
    await other.advance(10);
    expect({ most, handled: handled.toSorted() }).toEqual({
      most: 1,
      handled: ['order.a', 'order.b'],
    });
    finish.shift()!();
    await other.advance(10);
    await other.close();
  });

  it('lets go of a topic that is removed, and does not bring it back', async () => {
    await bed.publish('order.a', 1);
    await bed.publish('order.b', 1);
    await subscribe();
    const other = await bed.sibling();
    await other.stores.topics.remove('order.a');
    await bed.advance(120_000);
    expect(await other.stores.topics.list()).toEqual(['order.b']);
    await other.publish('order.b', 2);
    await other.publish('order.a', 'anew');
    await bed.advance(3_000);
    expect(handled.slice(-2).toSorted()).toEqual(['order.a anew', 'order.b 2']);
    await other.close();
  });

  it('is given the slot back of a handler that hangs in a topic that is removed', async () => {
    await bed.publish('order.a', 1);
    await subscribe({
      concurrency: 1,
      handlerTimeoutMs: 60_000,
      handler: ({ message }) => {
        handled.push(message.topic);
        return message.topic === 'order.a' ? new Promise(() => {}) : undefined;
      },
    });
    await bed.stores.topics.remove('order.a');
    await bed.advance(3_000);
    await bed.publish('order.b', 2);
    await bed.advance(120_000);
    expect(handled).toEqual(['order.a', 'order.b']);
  });

  it('takes a topic that was made anew in the same moment', async () => {
    await bed.publish('order.a', 1);
    await subscribe();
    await bed.stores.topics.remove('order.a');
    const other = await bed.sibling();
    await other.publish('order.a', 'anew');
    await bed.advance(40_000);
    expect(handled).toEqual(['order.a 1', 'order.a anew']);
    await other.close();
  });

  it('is refused at the start when its group means something else in a topic', async () => {
    await joinAsOrdered('order.a');
    await expect(subscribe()).rejects.toThrow(/registered as ordered without a filter/);
  });

  it('goes on without a topic in which its group means something else', async () => {
    await subscribe();
    await joinAsOrdered('order.a');
    await bed.publish('order.a', 'theirs');
    await bed.publish('order.b', 'ours');
    await bed.advance(10_000);
    expect(handled).toEqual(['order.b ours']);
    await bed.stores.topics.removeGroup('order.a', 'audit');
    await bed.advance(40_000);
    expect(handled).toEqual(['order.b ours', 'order.a theirs']);
  });

  async function joinAsOrdered(topic: string): Promise<void> {
    await bed.stores.topics.declare(topic);
    const facts = { group: 'audit', mode: 'ordered', filterDigest: '' } as const;
    await bed.stores.topics.joinGroup(topic, { ...facts, from: 'earliest' });
  }

  it('costs one question a second while no topic comes or goes', async () => {
    let counts = 0;
    let lists = 0;
    const { topics } = bed.stores;
    const [count, list] = [topics.count.bind(topics), topics.list.bind(topics)];
    topics.count = () => (counts++, count());
    topics.list = () => (lists++, list());
    await subscribe();
    await subscribe({ topic: 'invoice.#' });
    await bed.advance(1_000);
    [counts, lists] = [0, 0];
    await bed.advance(29_000);
    expect({ counts, lists }).toEqual({ counts: 29, lists: expect.any(Number) });
    expect(lists).toBeLessThanOrEqual(1);
  });

  it('may not compete with another for a topic, whether or not it exists', async () => {
    await subscribe();
    await expect(subscribe({ topic: 'order.created' })).rejects.toThrow(DuplicateSubscriptionError);
    await expect(subscribe({ topic: '#.created' })).rejects.toThrow(
      /topics that fit "order\.\*" and "#\.created"/,
    );
    await subscribe({ topic: 'invoice.*' });
    await subscribe({ topic: '#', group: 'everything' });
  });

  it('must be readable', async () => {
    await expect(subscribe({ topic: 'order*' })).rejects.toThrow(/a whole word between dots/);
  });
});
