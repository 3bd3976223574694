import { Redis } from 'ioredis';
import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { entries, frame, newNamespace, openStores, session } from './helpers/open-stores.js';

describe('append', () => {
  const namespace = newNamespace();
  const keys = new Keys({ namespace });
  let server: TestRedis;
  let redis: Redis;
  let stores: RedisStores;
  let now = Date.now();
  let topics = 0;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    stores = await openStores(server.url, { namespace, now: () => now });
  });
  afterAll(async () => {
    redis.disconnect();
    await stores.close();
    await server.stop();
  });

  async function topic(settings: { maxLength?: number } = {}) {
    const name = `orders${++topics}`;
    const { generation } = await stores.topics.declare(name, { queues: 1, ...settings });
    return { ref: { topic: name, queue: 0 }, generation, ...session(name, generation) };
  }

  it('stores a run and answers the offset of each', async () => {
    const { ref, call } = await topic();
    const run = entries('a', 'b', 'c');
    const reply = await stores.log.append(call(run));
    const stored = await stores.log.range({ ...ref, from: '-', to: '+', count: 10 });
    expect(reply).toEqual({
      state: 'appended',
      repeat: false,
      results: stored.map(({ offset }) => ({ state: 'stored', offset })),
    });
    expect(stored.map(({ content }) => content)).toEqual(
      run.map((entry) => ({ kind: 'message', frame: entry.frame, only: null })),
    );
  });

  it('answers a repeat with the first results, and stores nothing', async () => {
    const { ref, call } = await topic();
    const first = await stores.log.append(call(entries('a', 'b')));
    const again = await stores.log.append(call(entries('a', 'b'), { number: 1 }));
    expect(again).toEqual({ ...first, repeat: true });
    expect(await stores.log.extent(ref)).toMatchObject({ length: 2 });
  });

  it('remembers five calls; older ones are not carried out again either', async () => {
    const { ref, call } = await topic();
    for (let i = 0; i < 6; i++) await stores.log.append(call(entries('a')));
    expect(await stores.log.append(call(entries('a'), { number: 2 }))).toMatchObject({
      repeat: true,
    });
    await expect(stores.log.append(call(entries('a'), { number: 1 }))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    expect(await stores.log.extent(ref)).toMatchObject({ length: 6 });
  });

  it('a repeat is answered although the topic has moved on', async () => {
    const { call } = await topic();
    const first = await stores.log.append(call(entries('a')));
    expect(await stores.log.append(call(entries('a'), { number: 1, generation: 7 }))).toEqual({
      ...first,
      repeat: true,
    });
  });

  it('says gap, new-session, fenced and moved, and changes nothing', async () => {
    const { ref, generation, call } = await topic();
    const { log } = stores;
    expect(await log.append(call(entries('a'), { number: 2 }))).toEqual({ state: 'new-session' });
    await log.append(call(entries('a'), { number: 1 }));
    expect(await log.append(call(entries('a'), { number: 3 }))).toEqual({ state: 'gap' });
    expect(await log.append(call(entries('a'), { epoch: 2, number: 2 }))).toEqual({ state: 'gap' });
    await log.append(call(entries('a'), { epoch: 2, number: 1 }));
    expect(await log.append(call(entries('a'), { epoch: 1, number: 2 }))).toEqual({
      state: 'fenced',
    });
    const elsewhere = { epoch: 2, number: 2, generation: generation + 1 };
    expect(await log.append(call(entries('a'), elsewhere))).toEqual({ state: 'moved', generation });
    const missing = { ...call(entries('a'), { number: 1 }), queue: 5 };
    expect(await log.append(missing)).toEqual({ state: 'moved', generation: 0 });
    expect(await log.extent(ref)).toMatchObject({ length: 2 });
  });

  it('counts visible and scheduled messages against maxLength', async () => {
    const { ref, call } = await topic({ maxLength: 3 });
    const later = { frame: frame('later'), due: { delayMs: 1_000 } };
    const reply = await stores.log.append(call([later, ...entries('a', 'b')]));
    expect(reply).toMatchObject({
      results: [
        { state: 'scheduled', dueAt: now + 1_000 },
        { state: 'stored' },
        { state: 'stored' },
      ],
    });
    expect(await stores.schedule.count(ref)).toBe(1);
    expect(await stores.log.append(call(entries('e')))).toEqual({
      state: 'full',
      room: 0,
      whenFull: 'reject',
    });
  });

  it('knows a dedup id within its window, in one run and across runs', async () => {
    const { ref, call } = await topic();
    const pay = () => ({ frame: frame('pay'), dedupId: 'pay 17{}' });
    const twice = await stores.log.append(call([pay(), ...entries('x'), pay()]));
    if (twice.state !== 'appended') throw new Error(twice.state);
    const [first, , second] = twice.results;
    if (first?.state !== 'stored') throw new Error('not stored');
    expect(second).toEqual({
      state: 'duplicate',
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      offset: first.offset,
    });
    now += 599_000;
    expect(await stores.log.append(call([pay()]))).toMatchObject({ results: [second] });
    now += 2_000;
    expect(await stores.log.append(call([pay()]))).toMatchObject({
      results: [{ state: 'stored' }],
    });
    expect(await stores.log.extent(ref)).toMatchObject({ length: 3 });
  });

  it('a scheduled message has no offset in the answer to its duplicate', async () => {
    const { call } = await topic();
    const due = { at: now + 5_000 };
    const entry = () => ({ frame: frame('x'), dedupId: 'd', due });
    expect(await stores.log.append(call([entry(), entry()]))).toMatchObject({
      results: [{ state: 'scheduled' }, { state: 'duplicate', offset: null }],
    });
  });

  it('a time that has passed means now', async () => {
    const { call } = await topic();
    const past = { frame: frame('x'), due: { at: now - 5 } };
    expect(await stores.log.append(call([past]))).toMatchObject({ results: [{ state: 'stored' }] });
  });

  it('goes on after ids that another program made as large as they get', async () => {
    const { ref, call } = await topic();
    const others = await openStores(server.url, { namespace });
    const { log } = others;
    await redis.xadd(keys.queue(ref).log, `${Date.now() + 10_000}-18446744073709551610`, 'b', 'x');
    const reply = await log.append(call(entries(...Array<string>(10).fill('a'))));
    const stored = await log.range({ ...ref, from: '-', to: '+', count: 20 });
    expect(reply).toMatchObject({ results: stored.slice(1).map(({ offset }) => ({ offset })) });
    await others.close();
  });

  it('refuses a key of another type before it changes anything', async () => {
    for (const name of ['log', 'sessions', 'due', 'scheduled', 'meta'] as const) {
      const { ref, call } = await topic();
      const queue = keys.queue(ref);
      await redis.del(queue[name]);
      await redis.set(queue[name], 'other');
      const run = [...entries('a'), { frame: frame('b'), due: { delayMs: 1_000 } }];
      await expect(stores.log.append(call(run))).rejects.toMatchObject({ reason: 'WRONGTYPE' });
      const left = await redis.exists(queue.log, queue.sessions, queue.due, queue.scheduled);
      expect(left).toBe(name === 'meta' ? 0 : 1);
    }
  });

  it('goes on after SCRIPT FLUSH', async () => {
    const { ref, call } = await topic();
    await stores.log.append(call(entries('a')));
    await redis.script('FLUSH');
    expect(await stores.log.append(call(entries('b')))).toMatchObject({ repeat: false });
    expect(await stores.log.extent(ref)).toMatchObject({ length: 2 });
  });

  it('takes a repeat for use of its session, and writes it: a WAIT behind it waits for replicas', async () => {
    const { call } = await topic();
    const written = async () =>
      Number(/rdb_changes_since_last_save:(\d+)/.exec(await redis.info('persistence'))![1]);
    const first = call(entries('a'));
    await stores.log.append(first);
    now += 20 * 3_600_000;
    const before = await written();
    expect(await stores.log.append(first)).toMatchObject({ repeat: true });
    expect(await written()).toBe(before + 1);
    now += 20 * 3_600_000;
    expect(await stores.log.append(call(entries('b')))).toMatchObject({ state: 'appended' });
  });

  it('sweeps sessions that nobody used for a day', async () => {
    const { ref, generation, call } = await topic();
    await stores.log.append(call(entries('a')));
    now += 24 * 3_600_000 + 1;
    await stores.log.append(session(ref.topic, generation).call(entries('b')));
    expect(await redis.hlen(keys.queue(ref).sessions)).toBe(1);
    expect(await stores.log.append(call(entries('c')))).toEqual({ state: 'new-session' });
  });
});

describe('reopen', () => {
  let server: TestRedis;
  let stores: RedisStores;

  beforeAll(async () => {
    server = await startRedis();
    stores = await openStores(server.url);
  });
  afterAll(async () => {
    await stores.close();
    await server.stop();
  });

  it('tells what became of calls, fences them, and does not turn back when it is repeated', async () => {
    const { generation } = await stores.topics.declare('orders', { queues: 1 });
    const { id, call } = session('orders', generation);
    const first = await stores.log.append(call(entries('a', 'b')));
    if (first.state !== 'appended') throw new Error(first.state);
    const asked = [1, 2].map((number) => ({ epoch: 1, number }));
    const reopen = { topic: 'orders', queue: 0, session: id, epoch: 2, asked };

    const answers = { state: 'open', answers: [first.results, 'never'] };
    expect(await stores.log.reopen(reopen)).toEqual(answers);
    expect(await stores.log.append(call(entries('c'), { number: 2 }))).toEqual({ state: 'fenced' });
    expect(await stores.log.append(call(entries('d'), { epoch: 2, number: 1 }))).toMatchObject({
      repeat: false,
    });
    expect(await stores.log.reopen(reopen)).toEqual(answers);
    expect(await stores.log.append(call(entries('d'), { epoch: 2, number: 1 }))).toMatchObject({
      repeat: true,
    });
    expect(await stores.log.append(call(entries('e'), { epoch: 2, number: 2 }))).toMatchObject({
      repeat: false,
    });
  });

  it('opens a session nobody knows, unless the queue is gone', async () => {
    const { generation } = await stores.topics.declare('others', { queues: 1 });
    const { id, call } = session('others', generation);
    const reopen = { topic: 'others', queue: 0, session: id, epoch: 4, asked: [] };
    expect(await stores.log.reopen(reopen)).toEqual({ state: 'new-session' });
    expect(await stores.log.append(call(entries('a'), { epoch: 3 }))).toEqual({ state: 'fenced' });
    expect(await stores.log.append(call(entries('a'), { epoch: 4, number: 1 }))).toMatchObject({
      repeat: false,
    });
    await stores.topics.remove('others');
    expect(await stores.log.reopen({ ...reopen, epoch: 5 })).toEqual({ state: 'new-session' });
    expect(await stores.log.append(call(entries('a'), { epoch: 5, number: 1 }))).toEqual({
      state: 'moved',
      generation: 0,
    });
  });
});

describe('a replica that takes over', () => {
  let primary: TestRedis;
  let replica: TestRedis;
  let ofPrimary: Redis;
  let ofReplica: Redis;

  beforeAll(async () => {
    const args = ['--repl-diskless-sync-delay', '0'];
    [primary, replica] = await Promise.all([startRedis({ args }), startRedis()]);
    ofPrimary = new Redis(primary.url);
    ofReplica = new Redis(replica.url);
    await ofReplica.replicaof('127.0.0.1', primary.port);
  });
  afterAll(async () => {
    ofPrimary.disconnect();
    ofReplica.disconnect();
    await Promise.all([primary.stop(), replica.stop()]);
  });

  it('says of a call it does not have that the lost server may have carried it out', async () => {
    const namespace = newNamespace();
    const before = await openStores(primary.url, { namespace });
    const { generation } = await before.topics.declare('orders', { queues: 1 });
    const { id, call } = session('orders', generation);
    const known = await before.log.append(call(entries('a')));
    if (known.state !== 'appended') throw new Error(known.state);
    // WAIT is for what its own connection wrote, and so for all that was written before.
    while ((await ofPrimary.set('here', '1').then(() => ofPrimary.wait(1, 1_000))) < 1);
    await ofReplica.replicaof('NO', 'ONE');
    await before.log.append(call(entries('b'), { number: 2 }));
    const seen = await before.log.range({
      topic: 'orders',
      queue: 0,
      from: '-',
      to: '+',
      count: 9,
    });
    expect(seen).toHaveLength(2);
    await before.close();

    const after = await openStores(replica.url, { namespace });
    const asked = [1, 2].map((number) => ({ epoch: 1, number }));
    const reopen = { topic: 'orders', queue: 0, session: id, epoch: 2, asked };
    const answers = [known.results, 'not-here'];
    expect(await after.log.reopen(reopen)).toEqual({ state: 'open', answers });
    expect(await after.log.reopen({ ...reopen, epoch: 3 })).toEqual({ state: 'open', answers });
    // From here on it knows all there is to know.
    await after.log.append(call(entries('b'), { epoch: 3, number: 1 }));
    const later = { ...reopen, epoch: 4, asked: [{ epoch: 3, number: 2 }] };
    expect(await after.log.reopen(later)).toEqual({ state: 'open', answers: ['never'] });
    expect(await after.log.append(call(entries('b'), { number: 2 }))).toEqual({ state: 'fenced' });
    await after.close();
  });
});
