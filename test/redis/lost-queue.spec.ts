import { TopicNotFoundError } from '../../lib/core/message/errors.js';
import { Rivulet } from '../../lib/core/rivulet.js';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { connect, Handled, IMPATIENT, publishMany, within } from '../helpers/workload.js';
import { halfOf, MINE, prepare } from '../contract/halves.js';
import { publish } from '../contract/messages.js';
import { entries, newNamespace, openStores, session } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

const REFS = [0, 1].map((queue) => ({ topic: 'orders', queue }));

/** The queue is lost with its groups, made anew by somebody, and the last message sent again: all before anybody looks. */
const LOST_AND_ANEW = `
  local facts, last = redis.call('HGETALL', KEYS[1]), redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  redis.call('DEL', KEYS[1], KEYS[2])
  for i = 1, #facts, 2 do
    if not string.find(facts[i], '^start:') then redis.call('HSET', KEYS[1], facts[i], facts[i + 1]) end
  end
  redis.call('XADD', KEYS[2], '*', unpack(last[2]))`;

describe('a queue that a failover forgot, of a topic that is there', () => {
  const server = ownServer();

  /** As where the declaration was cut off, or where the node of the queue had not told its replica. */
  const forget = async (keys: Keys): Promise<void> => {
    for (const ref of REFS) await server.redis.del(keys.queue(ref).meta, keys.queue(ref).log);
  };

  it('stays away when the topic is removed while it is looked for', async () => {
    const namespace = newNamespace();
    const stores = new RedisStores({ connection: server.url, namespace });
    const rivulet = new Rivulet({ stores, settings: { autoCreateTopics: false } });
    await rivulet.open();
    const other = await openStores(server.url, { namespace });
    await other.topics.declare('orders', { queues: 2 });
    const asked = stores.topics as unknown as { findFacts(topic: string): Promise<unknown> };
    const find = asked.findFacts.bind(asked);
    asked.findFacts = async (topic) => {
      const facts = await find(topic);
      asked.findFacts = find;
      await other.topics.remove(topic);
      return facts;
    };
    await expect(rivulet.producer.send('orders', 'm')).rejects.toThrow(TopicNotFoundError);
    expect(await other.topics.list()).toEqual([]);
    await rivulet.stop();
    await other.close();
  });

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

  it('counts the messages of the halves that it kept', async () => {
    const namespace = newNamespace();
    const stores = await openStores(server.url, { namespace });
    await stores.topics.declare('orders', { queues: 1, maxLength: 3 });
    const { meta } = new Keys({ namespace }).queue(REFS[0]!);
    const ids: string[] = [];
    for (const bodies of [['a', 'b'], ['c']]) {
      const half = halfOf(bodies);
      ids.push(half.id);
      expect(await prepare(stores, half)).toMatchObject([{ state: 'prepared' }]);
    }
    await server.redis.del(meta);
    // One ends before the queue is open again.
    await stores.halves.commit(MINE, [ids[1]!]);
    await stores.topics.declare('orders', { queues: 1, maxLength: 3 });
    const send = (...texts: string[]): Promise<unknown> => publish(stores, texts);
    await expect(send('d')).rejects.toThrow(/full/);
    await stores.halves.rollback(MINE, [ids[0]!]);
    await send('e', 'f');
    await expect(send('g')).rejects.toThrow(/full/);
    await stores.close();
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

  it('is told of to its groups, which begin at its first message, and to no others', async () => {
    const namespace = newNamespace();
    let time = Date.now();
    const stores = await openStores(server.url, { namespace, now: () => time });
    await stores.topics.declare('orders', { queues: 2 });
    const join = (group: string) =>
      stores.topics.joinGroup('orders', {
        ...{ group, mode: 'unordered', filterDigest: '', from: 'latest' },
      });
    await join('billing');
    const keys = new Keys({ namespace });
    await forget(keys);
    // What was made a moment ago may not be complete yet, when others look: nothing is lost then.
    time += 1_000;
    await stores.topics.declare('orders');
    expect(await join('billing')).toEqual({ state: 'joined', created: false, recreated: [] });
    await forget(keys);
    time += 600_000;
    await stores.topics.complete('orders');
    await publish(stores, ['sent meanwhile']);
    expect(await join('auditing')).toEqual({ state: 'joined', created: true, recreated: [] });
    expect(await join('billing')).toEqual({ state: 'joined', created: false, recreated: REFS });
    expect(await join('billing')).toMatchObject({ recreated: [] });
    const { log } = keys.queue(REFS[0]!);
    const listed = (await server.redis.xinfo('GROUPS', log)) as string[][];
    const begun = listed.map((facts) => [facts[1], facts[facts.indexOf('last-delivered-id') + 1]]);
    expect(begun.toSorted()).toEqual([
      ['auditing', expect.not.stringMatching(/^0-0$/)],
      ['billing', '0-0'],
    ]);
    await stores.close();
  });

  it.each<[string, (stores: RedisStores) => Promise<unknown>]>([
    ['the next one looks', (stores) => stores.topics.complete('orders')],
    ['its settings change', (stores) => stores.topics.alter('orders', { retentionMs: 3_600_000 })],
  ])(
    'is told of to its groups, too, when whoever opened it died over that: %s',
    async (_, look) => {
      const namespace = newNamespace();
      let time = Date.now();
      const now = (): number => time;
      const stores = await openStores(server.url, { namespace, now });
      await stores.topics.declare('orders', { queues: 2 });
      const join = {
        group: 'billing',
        mode: 'unordered',
        filterDigest: '',
        from: 'latest',
      } as const;
      await stores.topics.joinGroup('orders', join);
      const keys = new Keys({ namespace });
      await forget(keys);
      time += 600_000;
      const dying = await openStores(server.url, { namespace, now });
      const its = dying.topics as unknown as { noteLost(): Promise<void> };
      its.noteLost = () => Promise.reject(new Error('it dies here'));
      await expect(dying.topics.complete('orders')).rejects.toThrow('it dies here');
      await dying.close();
      await look(stores);
      const again = await stores.topics.joinGroup('orders', join);
      expect(again).toEqual({ state: 'joined', created: false, recreated: REFS });
      await stores.topics.declare('orders');
      expect(await stores.topics.joinGroup('orders', join)).toMatchObject({ recreated: [] });
      for (const ref of REFS)
        expect(await server.redis.hexists(keys.queue(ref).meta, 'unnoted')).toBe(0);
      await stores.close();
    },
  );

  it('takes nothing from the alarm of one that is there, and has lost its group', async () => {
    const namespace = newNamespace();
    let time = Date.now();
    const stores = await openStores(server.url, { namespace, now: () => time });
    await stores.topics.declare('orders', { queues: 2 });
    const join = { group: 'billing', mode: 'unordered', filterDigest: '', from: 'latest' } as const;
    await stores.topics.joinGroup('orders', join);
    time += 600_000;
    const keys = new Keys({ namespace });
    const [there, lost] = REFS.map((ref) => keys.queue(ref));
    await server.redis.xgroup('DESTROY', there!.log, 'billing');
    await server.redis.unlink(lost!.meta, lost!.log);
    const again = await stores.topics.joinGroup('orders', join);
    expect(again).toEqual({ state: 'joined', created: false, recreated: REFS });
    await stores.close();
  });

  it('hides nothing that came to it anew from a group that began at the end', async () => {
    const namespace = newNamespace();
    const rivulet = connect(server.url, namespace, { ...IMPATIENT, topics: { queues: 1 } });
    const handled = new Handled();
    rivulet.subscribe({
      ...{ topic: 'orders', group: 'billing', origin: 'billing', from: 'latest' },
      handler: (delivery) => handled.note(delivery),
    });
    await rivulet.consume();
    const keys = await publishMany(rivulet, 1);
    await within(60_000, 'the first time', handled.all(keys));
    handled.times.clear();
    const { meta, log } = new Keys({ namespace }).queue(REFS[0]!);
    await server.redis.eval(LOST_AND_ANEW, 2, meta, log);
    await within(60_000, 'the second time', handled.all(keys));
    expect(handled.missing(keys)).toEqual([]);
    await rivulet.stop();
  });

  it('has newer settings than any that were lost once the topic is altered again', async () => {
    const namespace = newNamespace();
    let time = Date.now();
    const stores = await openStores(server.url, { namespace, now: () => ++time });
    const keys = new Keys({ namespace });
    await stores.topics.declare('orders', { queues: 1 });
    const { meta } = keys.topic('orders');
    const before = await server.redis.hgetall(meta);
    await stores.topics.alter('orders', { maxLength: 10, queues: 2 });
    // The node of the topic failed over and lost that; the node of the queue did not.
    await server.redis.del(meta);
    await server.redis.hset(meta, before);
    const { generation } = (await stores.topics.alter('orders', { maxLength: 20, queues: 2 }))!;
    const call = session('orders', generation).call(entries('m1'));
    expect(await stores.log.append(call)).toMatchObject({ state: 'appended' });
    expect(await server.redis.hget(keys.queue(REFS[0]!).meta, 'maxLength')).toBe('20');
    await stores.close();
  });
});
