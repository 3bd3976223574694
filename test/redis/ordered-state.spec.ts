import type { SubscriptionOptions } from '../../lib/core/consumer/subscription.js';
import { Rivulet } from '../../lib/core/rivulet.js';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { join, numbered, publishTexts } from '../contract/messages.js';
import { LEASE_MS, TestOwner } from '../contract/test-owner.js';
import { Gate } from '../unit/consumer/ordered/gate.js';
import { newNamespace } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

const QUEUE = { topic: 'orders', queue: 0 };
const BILLING = { ...QUEUE, group: 'billing' };

describe('the state of an ordered group that is lost or rewound under its owner', () => {
  const own = ownServer();
  let stores: RedisStores;
  let rivulet: Rivulet;
  let keys: Keys;
  beforeEach(async () => {
    const namespace = newNamespace();
    keys = new Keys({ namespace });
    stores = new RedisStores({ connection: own.url, namespace });
    rivulet = new Rivulet({ stores, settings: { consumer: { blockMs: 500 } } });
    await rivulet.open();
    await stores.topics.declare('orders', { queues: 1 });
  });
  afterEach(() => rivulet.stop());

  /** All of the queue, as a server has it that lost what came later. @returns what brings it back. */
  async function snapshot(): Promise<() => Promise<void>> {
    const { log, lease, lanes, hold, parked, dead } = keys.groupQueue(BILLING);
    const names = [log, lease, lanes, hold, parked, dead];
    const dumps = await Promise.all(names.map((name) => own.redis.dumpBuffer(name)));
    return async () => {
      const back = own.redis.multi();
      for (const [i, name] of names.entries()) {
        back.del(name);
        if (dumps[i]) back.restore(name, 0, dumps[i]);
      }
      await back.exec();
    };
  }
  const subscribe = (handler: SubscriptionOptions['handler']): Promise<void> => {
    const { topic, group } = BILLING;
    rivulet.subscribe({ topic, group, handler, origin: 'a test', ordered: true });
    return rivulet.consume();
  };

  it('makes no token begin again when the lease is lost', async () => {
    await join(stores, 'billing');
    const [offset] = await publishTexts(stores, numbered(1));
    const [a, b] = ['a', 'b'].map((name) => new TestOwner(stores, BILLING, name));
    await a!.own();
    await a!.readOffsets();
    await a!.begin('=x', offset!);
    await own.redis.del(keys.groupQueue(BILLING).lease);
    expect(await a!.ack('=x', offset!)).toEqual({ state: 'fenced' });
    expect(await a!.renew(LEASE_MS)).toEqual({ state: 'fenced' });
    const { entries } = await b!.own();
    expect(entries.map((entry) => entry.offset)).toEqual([offset]);
    expect(b!.proof.fencingToken).toBeGreaterThan(a!.proof.fencingToken);
  });

  it('refuses a start when the server forgot the settle before it', async () => {
    await join(stores, 'billing');
    const [first, second] = await publishTexts(stores, numbered(2));
    const a = new TestOwner(stores, BILLING, 'a');
    await a.own();
    await a.readOffsets();
    await a.begin('=x', first!);
    const restore = await snapshot();
    await a.ack('=x', first!);
    await restore();
    expect(await a.begin('=x', second!)).toEqual({ state: 'gap' });
    const { records } = await a.own();
    expect(records).toMatchObject([{ lane: '=x', offset: first, open: true }]);
  });

  it('is replayed from there in order, without a gap', async () => {
    const gates = new Map([
      ['3', new Gate()],
      ['5', new Gate()],
    ]);
    const arrived = new Map<string, () => void>();
    const arrives = (key: string): Promise<void> =>
      new Promise((resolve) => void arrived.set(key, resolve));
    const [third, fifth, sixth] = ['3', '5', '6'].map(arrives);
    const seen: string[] = [];
    await subscribe(async ({ message }) => {
      const key = message.key!;
      seen.push(key);
      arrived.get(key)?.();
      await gates.get(key)?.pass();
    });
    for (const key of ['1', '2', '3', '4', '5', '6'])
      await rivulet.producer.send('orders', {}, { key, messageGroup: 'g' });
    await third;
    const restore = await snapshot();
    await gates.get('3')!.open();
    await fifth;
    await restore();
    await gates.get('5')!.open();
    await sixth;
    expect(seen).toEqual(['1', '2', '3', '4', '5', '3', '4', '5', '6']);
  });

  const damage = async (): Promise<string> => {
    const { lanes } = keys.groupQueue(BILLING);
    await own.redis.hset(lanes, 'g', 'no record');
    return lanes;
  };

  it.each([
    ['', () => Promise.resolve('')],
    [', also when what follows fails', damage],
  ])('is told of what somebody read behind its back and deleted%s', async (_, spoil) => {
    const { topic, group } = BILLING;
    const wanted = { mode: 'ordered', orderedBy: 'message-group', filterDigest: '' } as const;
    await stores.topics.joinGroup(topic, { ...wanted, group, from: 'earliest' });
    const sends = ['1', '2', '3'].map((key) =>
      rivulet.producer.send(topic, {}, { key, messageGroup: 'g' }),
    );
    const offsets = (await Promise.all(sends)).map(({ offset }) => offset!);
    const { log } = keys.queue(QUEUE);
    await own.redis.xreadgroup('GROUP', group, 'stranger', 'COUNT', 2, 'STREAMS', log, '>');
    await own.redis.xdel(log, offsets[0]!);
    const spoilt = await spoil();
    const lost = rivulet.events.next('message-lost');
    const acked = rivulet.events.next('acked', ({ key }) => key === '3');
    const seen: string[] = [];
    await subscribe(({ message }) => void seen.push(message.key!));
    expect(await lost).toEqual({ ...BILLING, offset: offsets[0] });
    if (spoilt !== '') await own.redis.del(spoilt);
    await acked;
    expect(seen).toEqual(['2', '3']);
  });

  it('is consumed again from its beginning when its group is gone, in order', async () => {
    const seen: string[] = [];
    let done = (): void => {};
    const twice = new Promise<void>((resolve) => (done = resolve));
    await subscribe(({ message }) => {
      seen.push(message.key!);
      if (seen.filter((key) => key === '3').length === 2) done();
    });
    const acked = rivulet.events.next('acked', ({ key }) => key === '3');
    for (const key of ['1', '2', '3'])
      await rivulet.producer.send('orders', {}, { key, messageGroup: 'g' });
    await acked;
    const recreated = rivulet.events.next('group-recreated');
    await own.redis.xgroup('DESTROY', keys.queue(QUEUE).log, 'billing');
    await rivulet.producer.send('orders', {}, { key: '4', messageGroup: 'g' });
    expect(await recreated).toMatchObject({ topic: 'orders', queue: 0, group: 'billing' });
    await twice;
    expect(seen.slice(0, 6)).toEqual(['1', '2', '3', '1', '2', '3']);
  });
});
