import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';
import { Gate } from './ordered/gate.js';

const SETTINGS = { topics: { queues: 2 } };

describe('a broadcast to a pattern of topics', () => {
  let beds: TestBed[];
  let one: TestBed;
  let seen: Map<TestBed, string[]>;
  beforeEach(async () => {
    one = await TestBed.open({ settings: SETTINGS });
    beds = [one];
    seen = new Map([[one, []]]);
  });
  afterEach(async () => {
    for (const bed of beds) await bed.close();
  });

  const subscribe = (bed: TestBed, options: Partial<TestSubscription> = {}): Promise<void> =>
    bed.subscribe({
      ...{ topic: 'price.*', group: 'cache', mode: 'broadcasting' },
      handler: ({ message, body }) => void seen.get(bed)!.push(`${message.topic} ${String(body)}`),
      ...options,
    });
  const another = async (): Promise<TestBed> => {
    const made = await one.sibling({ settings: SETTINGS });
    beds.push(made);
    seen.set(made, []);
    return made;
  };
  const lines = (): string[][] => [...seen.values()].map((each) => each.toSorted());

  it('reaches every process, from when it began, in every topic that fits', async () => {
    await one.publish('price.a', 'before');
    await subscribe(one);
    await one.publish('price.a', 1);
    const other = await another();
    await subscribe(other);
    await one.publish('price.a', 2);
    await one.publish('price', 3);
    await one.publish('price.a.b', 4);
    await one.advance(3_000);
    expect(lines()).toEqual([['price.a 1', 'price.a 2'], ['price.a 2']]);
    expect(await one.stores.topics.groups('price.a')).toEqual([
      { group: 'cache', mode: 'broadcasting', filterDigest: '' },
    ]);
    expect(await one.stores.topics.list()).not.toContain('price.*');
  });

  it('takes topics that are made while it runs, from their start', async () => {
    await subscribe(one);
    await one.publish('price.a', 1);
    await one.publish('price.a', 2);
    await one.advance(3_000);
    await one.publish('price.a', 3);
    await one.advance(10);
    expect(lines()).toEqual([['price.a 1', 'price.a 2', 'price.a 3']]);
  });

  it('is given the slot back of a handler that hangs in a topic that is removed', async () => {
    await one.publish('price.a', 1);
    await subscribe(one, {
      from: 'earliest',
      concurrency: 1,
      handlerTimeoutMs: 60_000,
      handler: ({ message }) => {
        seen.get(one)!.push(message.topic);
        return message.topic === 'price.a' ? new Promise(() => {}) : undefined;
      },
    });
    await one.stores.topics.remove('price.a');
    await one.advance(3_000);
    await one.publish('price.b', 2);
    await one.advance(120_000);
    expect(lines()).toEqual([['price.a', 'price.b']]);
  });

  it('begins where it is told to, in every topic', async () => {
    for (const topic of ['price.a', 'price.b']) await one.publish(topic, 'old');
    await one.advance(5_000);
    for (const topic of ['price.a', 'price.b']) await one.publish(topic, 'new');
    await subscribe(one, { from: 'earliest' });
    const other = await another();
    await subscribe(other, { from: new Date(one.clock.now() - 1_000) });
    await one.advance(3_000);
    expect(lines()).toEqual([
      ['price.a new', 'price.a old', 'price.b new', 'price.b old'],
      ['price.a new', 'price.b new'],
    ]);
  });

  it('begins when the group is made known, also when reading starts later', async () => {
    await one.publish('price.a', 'before');
    one.rivulet.subscribe({
      ...{ topic: 'price.*', group: 'cache', mode: 'broadcasting', origin: 'test' },
      handler: ({ message, body }) => void seen.get(one)!.push(`${message.topic} ${String(body)}`),
    });
    await one.rivulet.joinGroups();
    await one.publish('price.a', 'between');
    await one.publish('price.b', 'between');
    await one.rivulet.consume();
    await one.advance(3_000);
    expect(lines()).toEqual([['price.a between', 'price.b between']]);
  });

  it('lets go of a topic that is removed, and reads one that is made anew from its start', async () => {
    await one.publish('price.a', 'old');
    await one.publish('price.b', 'old');
    await subscribe(one);
    const other = await another();
    await other.stores.topics.remove('price.a');
    await one.advance(120_000);
    expect(await other.stores.topics.list()).toEqual(['price.b']);
    await other.stores.topics.declare('price.a', { queues: 3 });
    for (const queue of [0, 1, 2]) await other.publish('price.a', `anew ${queue}`, { queue });
    await other.publish('price.b', 'new');
    await one.advance(3_000);
    expect(lines()[0]).toEqual([
      'price.a anew 0',
      'price.a anew 1',
      'price.a anew 2',
      'price.b new',
    ]);
  });

  it('follows a topic that grows', async () => {
    await subscribe(one);
    await one.publish('price.a', 1);
    await one.advance(3_000);
    await one.stores.topics.alter('price.a', { queues: 4 });
    await one.rivulet.topics.refresh('price.a');
    for (const queue of [2, 3]) await one.publish('price.a', `in ${queue}`, { queue });
    await one.advance(3_000);
    expect(lines()).toEqual([['price.a 1', 'price.a in 2', 'price.a in 3']]);
  });

  it('shares its slots and its reader among all topics, and loses none for it', async () => {
    let readers = 0;
    const { log } = one.stores;
    const openReader = log.openReader.bind(log);
    log.openReader = () => (readers++, openReader());
    for (let topic = 0; topic < 10; topic++) await one.stores.topics.declare(`price.t${topic}`);
    const gate = new Gate();
    let running = 0;
    let most = 0;
    await subscribe(one, {
      concurrency: 3,
      handler: async ({ message }) => {
        most = Math.max(most, ++running);
        await gate.pass();
        running -= 1;
        seen.get(one)!.push(message.topic);
      },
    });
    for (let topic = 0; topic < 10; topic++)
      for (const queue of [0, 1]) await one.publish(`price.t${topic}`, 1, { queue });
    await one.advance(2_000);
    expect(most).toBe(3);
    await gate.open();
    await one.advance(5_000);
    expect(seen.get(one)).toHaveLength(20);
    expect({ most, readers }).toEqual({ most: 3, readers: 1 });
  });

  it('pauses as a whole', async () => {
    await subscribe(one);
    one.rivulet.pause('price.*', 'cache');
    await one.publish('price.a', 1);
    await one.advance(5_000);
    expect(lines()).toEqual([[]]);
    one.rivulet.resume('price.*', 'cache');
    await one.advance(2_000);
    expect(lines()).toEqual([['price.a 1']]);
  });

  it('ends with its process, whatever still runs', async () => {
    const signals: AbortSignal[] = [];
    await subscribe(one, {
      handler: ({ signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      },
    });
    for (const topic of ['price.a', 'price.b']) await one.publish(topic, 1);
    await one.advance(3_000);
    await one.close();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  it('goes on without a topic in which its group means something else', async () => {
    await subscribe(one);
    await one.stores.topics.declare('price.a');
    const facts = {
      group: 'cache',
      mode: 'unordered',
      filterDigest: '',
      from: 'earliest',
    } as const;
    await one.stores.topics.joinGroup('price.a', facts);
    await one.publish('price.a', 'theirs');
    await one.publish('price.b', 'ours');
    await one.advance(10_000);
    expect(lines()).toEqual([['price.b ours']]);
  });
});
