import type { Delivery } from '../../../lib/core/consumer/subscription.js';
import { laneOfGroup } from '../../../lib/core/consumer/ordered/lane-name.js';
import { MessageAdmin } from '../../../lib/inspect/message-admin.js';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';
import { Gate } from './ordered/gate.js';

const SETTINGS = { topics: { queues: 2 }, heartbeatMs: 1_000, deadAfterMs: 3_000 };
const LEASE_MS = 15_000;

describe('an ordered subscription to a pattern of topics', () => {
  let beds: TestBed[];
  let bed: TestBed;
  let handled: string[];
  beforeEach(async () => {
    bed = await TestBed.open({ settings: SETTINGS });
    beds = [bed];
    handled = [];
  });
  afterEach(async () => {
    for (const each of beds) await each.close();
  });

  const note = ({ message, body }: Delivery): void =>
    void handled.push(`${message.topic} ${String(body)}`);
  const subscribe = (options: Partial<TestSubscription> = {}, where = bed): Promise<void> =>
    where.subscribe({
      ...{ topic: 'order.*', group: 'billing', ordered: true, handler: note },
      ...options,
    });
  const send = async (topic: string, messageGroup: string, ...bodies: string[]): Promise<void> => {
    for (const body of bodies) await bed.publish(topic, body, { messageGroup });
  };
  const another = async (): Promise<TestBed> => {
    const made = await bed.sibling({ settings: SETTINGS });
    beds.push(made);
    return made;
  };
  const of = (topic: string): string[] =>
    handled.filter((line) => line.startsWith(`${topic} `)).map((line) => line.split(' ')[1]!);
  const ownersOf = (topic: string) =>
    Promise.all(
      [0, 1].map(async (queue) => {
        const view = await bed.stores.leases.view({ topic, queue, group: 'billing' });
        return view.owner;
      }),
    );

  it('keeps the order of each message group in each topic, and lets no topic wait for another', async () => {
    await send('order.a', 'g', 'a1', 'a2', 'a3');
    await send('order.b', 'g', 'b1', 'b2', 'b3');
    await send('orders', 'g', 'no');
    const gate = new Gate();
    await subscribe({
      handler: async (delivery) => {
        if (delivery.body === 'a2') await gate.pass();
        note(delivery);
      },
    });
    await bed.advance(1_000);
    expect(of('order.a')).toEqual(['a1']);
    expect(of('order.b')).toEqual(['b1', 'b2', 'b3']);
    await gate.open();
    await bed.advance(100);
    expect(of('order.a')).toEqual(['a1', 'a2', 'a3']);
    expect(handled).toHaveLength(6);
    expect(await bed.stores.topics.groups('order.b')).toEqual([
      { group: 'billing', mode: 'ordered', filterDigest: '' },
    ]);
    expect(await bed.stores.topics.list()).not.toContain('order.*');
  });

  it('takes topics that are made while it runs, from their start and in order', async () => {
    await subscribe({ from: 'latest' });
    await send('order.a', 'g', 'a1', 'a2', 'a3');
    await bed.advance(3_000);
    expect(of('order.a')).toEqual(['a1', 'a2', 'a3']);
    await send('order.a', 'g', 'a4');
    await bed.advance(10);
    expect(of('order.a')).toEqual(['a1', 'a2', 'a3', 'a4']);
  });

  it('shares the queues of every topic among its processes, and is followed in all of them', async () => {
    const topics = ['order.a', 'order.b', 'order.c'];
    for (const topic of topics) await bed.stores.topics.declare(topic, { queues: 2 });
    await subscribe();
    const other = await another();
    await subscribe({}, other);
    await bed.advance(30_000);
    for (const topic of topics) {
      const owners = await ownersOf(topic);
      expect(new Set(owners).size).toBe(2);
      expect(owners).not.toContain(null);
    }
    bed.crash();
    for (const topic of topics)
      for (const group of ['g', 'h', 'i'])
        for (const n of [1, 2]) await other.publish(topic, `${group}${n}`, { messageGroup: group });
    await other.advance(LEASE_MS + 5_000);
    for (const topic of topics)
      for (const group of ['g', 'h', 'i'])
        expect(of(topic).filter((body) => body.startsWith(group))).toEqual([
          `${group}1`,
          `${group}2`,
        ]);
  });

  it('shares its slots among all topics, and lets each have its turn', async () => {
    const topics = ['order.a', 'order.b', 'order.c'];
    for (const topic of topics) for (let i = 0; i < 10; i++) await send(topic, `g${i}`, String(i));
    const running: (() => void)[] = [];
    let most = 0;
    await subscribe({
      concurrency: 2,
      handler: (delivery) => {
        note(delivery);
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
    const firstHalf = handled.slice(0, 15).map((line) => line.split(' ')[0]);
    expect(new Set(firstHalf).size).toBe(3);
  });

  it('parks a lane in the topic where it is, until it is resumed there', async () => {
    let isBroken = true;
    await subscribe({
      retry: { maxAttempts: 1 },
      handler: (delivery) => {
        if (delivery.body === 'bad' && isBroken) throw new Error('no');
        note(delivery);
      },
    });
    await send('order.a', 'g', 'bad', 'a2');
    await send('order.b', 'g', 'b1', 'b2');
    await bed.advance(3_000);
    expect(handled).toEqual(['order.b b1', 'order.b b2']);
    const admin = new MessageAdmin({ rivulet: bed.rivulet });
    const [parked] = await admin.listParkedLanes('order.a', 'billing');
    expect(parked).toMatchObject({ lane: laneOfGroup('g') });
    isBroken = false;
    await admin.resumeLane('order.a', 'billing', parked!);
    await bed.advance(10_000);
    expect(of('order.a')).toEqual(['bad', 'a2']);
  });

  it('lets go of a topic that is removed, and takes it up again when it is made anew', async () => {
    const tokens: number[] = [];
    await send('order.a', 'g', 'a1');
    await send('order.b', 'g', 'b1');
    await subscribe({
      handler: (delivery) => {
        note(delivery);
        if (delivery.message.topic === 'order.a') tokens.push(delivery.fencingToken!);
      },
    });
    const other = await another();
    await other.stores.topics.remove('order.a');
    await bed.advance(10_000);
    expect(await other.stores.topics.list()).toEqual(['order.b']);
    await other.stores.topics.declare('order.a', { queues: 5 });
    for (const n of [2, 3]) await other.publish('order.a', `a${n}`, { messageGroup: 'g' });
    await other.publish('order.b', 'b2', { messageGroup: 'g' });
    await bed.advance(10_000);
    expect(of('order.a')).toEqual(['a1', 'a2', 'a3']);
    expect(of('order.b')).toEqual(['b1', 'b2']);
    expect(tokens[1]).toBeGreaterThan(tokens[0]!);
  });

  it('leaves nothing behind in a topic that was removed', async () => {
    await send('order.a', 'g', 'a1');
    await subscribe();
    await bed.advance(1_000);
    await bed.stores.topics.remove('order.a');
    await bed.advance(10_000);
    const roster = bed.stores.leases.roster({ topic: 'order.a', group: 'billing' });
    expect((await roster.beat('me')).members.map(({ member }) => member)).toEqual(['me']);
  });

  it('takes a topic that was made anew in the same moment', async () => {
    await send('order.a', 'g', 'a1');
    await subscribe();
    await bed.stores.topics.remove('order.a');
    const other = await another();
    for (const n of [2, 3]) await other.publish('order.a', `a${n}`, { messageGroup: 'g' });
    await bed.advance(40_000);
    expect(of('order.a')).toEqual(['a1', 'a2', 'a3']);
  });

  it('follows a topic that grows, in order', async () => {
    await send('order.a', 'g', 'g1');
    await subscribe();
    await bed.stores.topics.alter('order.a', { queues: 6 });
    await bed.rivulet.topics.refresh('order.a');
    for (const group of ['g', 'h', 'i', 'j', 'k', 'l'])
      await send('order.a', group, `${group}2`, `${group}3`);
    await bed.advance(10_000);
    expect(of('order.a').filter((body) => body.startsWith('g'))).toEqual(['g1', 'g2', 'g3']);
    expect(handled).toHaveLength(13);
  });

  it('pauses as a whole', async () => {
    await send('order.a', 'g', 'a1');
    await subscribe();
    await bed.advance(10);
    bed.rivulet.pause('order.*', 'billing');
    await send('order.a', 'g', 'a2');
    await send('order.b', 'g', 'b1');
    await bed.advance(10_000);
    expect(handled).toEqual(['order.a a1']);
    bed.rivulet.resume('order.*', 'billing');
    await bed.advance(10);
    expect(handled.toSorted()).toEqual(['order.a a1', 'order.a a2', 'order.b b1']);
  });

  it('listens to all of its topics at once', async () => {
    let bells = 0;
    const { leases } = bed.stores;
    const openDoorbell = leases.openDoorbell.bind(leases);
    leases.openDoorbell = () => (bells++, openDoorbell());
    for (let topic = 0; topic < 20; topic++) await bed.stores.topics.declare(`order.t${topic}`);
    await subscribe();
    await bed.advance(3_000);
    for (let topic = 0; topic < 20; topic++) await send(`order.t${topic}`, 'g', 'now');
    await bed.advance(5);
    expect(handled).toHaveLength(20);
    expect(bells).toBe(1);
  });

  it('tells in which topics it consumes', async () => {
    await send('order.a', 'g', 'a1');
    await subscribe();
    await bed.advance(61_000);
    const [seen] = await bed.stores.presence.note('order.a', []);
    expect(seen).toMatchObject({ group: 'billing' });
    expect(seen!.idleMs).toBeLessThan(2_000);
  });

  it('is refused at the start when its group means something else in a topic, and goes on without one that is made later', async () => {
    const facts = { filterDigest: '', from: 'earliest' } as const;
    await bed.stores.topics.declare('order.a');
    await bed.stores.topics.joinGroup('order.a', { ...facts, group: 'audit', mode: 'unordered' });
    const refused = subscribe({ group: 'audit' }, await another());
    await expect(refused).rejects.toThrow(/registered as unordered/);
    await subscribe();
    await bed.stores.topics.declare('order.b');
    await bed.stores.topics.joinGroup('order.b', { ...facts, group: 'billing', mode: 'unordered' });
    await send('order.b', 'g', 'theirs');
    await send('order.c', 'g', 'ours');
    await bed.advance(10_000);
    expect(handled).toEqual(['order.c ours']);
    await bed.stores.topics.removeGroup('order.b', 'billing');
    await bed.advance(40_000);
    expect(handled).toEqual(['order.c ours', 'order.b theirs']);
  });
});
