import { StoreUnavailableError } from '../../../lib/core/message/errors.js';
import { selectQueue } from '../../../lib/core/producer/queue-selector.js';
import type { HalfCall } from '../../../lib/core/store/half-message-store.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

const GROUPS = Array.from({ length: 24 }, (_, i) => `g${i}`);

describe('a topic that changes while messages of a transaction wait in the outbox', () => {
  let bed: TestBed;

  beforeEach(async () => {
    bed = await TestBed.open();
  });

  afterEach(() => bed.close());

  const grow = (queues: number) => bed.stores.topics.alter('orders', { queues });

  async function madeAnew(queues: number): Promise<void> {
    await bed.stores.topics.remove('orders');
    await bed.stores.topics.declare('orders', { queues });
  }

  /** One message of each message group, in a transaction that finds the store down. */
  async function placeWhileDown(): Promise<void> {
    bed.stores.goDown();
    await bed.rivulet.transactions.run(async () => {
      for (const messageGroup of GROUPS)
        await bed.publish('orders', messageGroup, { messageGroup });
    });
  }

  /** The relay gets no further than the messages of these queues. */
  async function publishOnly(isWithin: (call: HalfCall) => boolean): Promise<void> {
    const { halves } = bed.stores;
    const publish = halves.publish.bind(halves);
    halves.publish = async (call) => {
      if (isWithin(call)) return publish(call);
      throw new StoreUnavailableError('cut off by the test');
    };
    bed.stores.comeUp();
    await bed.advance(40_000);
    halves.publish = publish;
  }

  async function groupsSent(): Promise<unknown[]> {
    await bed.advance(120_000);
    expect(bed.database.waiting).toEqual([]);
    return (await bed.sent('orders')).map(({ body }) => body).sort();
  }

  it('gets each of them once when it grows between two parts of them', async () => {
    await bed.rivulet.topics.get('orders');
    await grow(8);
    await placeWhileDown();
    await publishOnly(({ queue }) => queue < 6);
    expect(bed.database.waiting).toHaveLength(1);
    await grow(24);
    await publishOnly(({ queue }) => queue < 6);
    await grow(48);
    expect(await groupsSent()).toEqual([...GROUPS].sort());
  });

  it('gets each of them once when nobody had looked it up, and another process completes it', async () => {
    await placeWhileDown();
    await publishOnly(({ queue }) => queue < 2);
    expect(bed.database.waiting).toHaveLength(1);
    await grow(12);
    const other = await bed.sibling();
    bed.crash();
    bed = other;
    expect(await groupsSent()).toEqual([...GROUPS].sort());
  });

  it('gets each of them once when it is made anew, with fewer queues, and grows', async () => {
    await bed.rivulet.topics.get('orders');
    await madeAnew(3);
    await placeWhileDown();
    await publishOnly(({ queue, generation }) => queue === 0 || generation === 1);
    expect(bed.database.waiting).toHaveLength(1);
    await grow(6);
    expect(await groupsSent()).toEqual([...GROUPS].sort());
  });

  it('gets each of them once when it is made anew twice: what the second one had is gone with it', async () => {
    await bed.rivulet.topics.get('orders');
    await madeAnew(3);
    await placeWhileDown();
    await publishOnly(({ queue, generation }) => queue === 0 || generation === 1);
    const gone = (await bed.sent('orders')).map(({ body }) => body);
    expect(gone.length).toBeGreaterThan(0);
    await madeAnew(2);
    expect([...gone, ...(await groupsSent())].sort()).toEqual([...GROUPS].sort());
  });

  it('is told of when it changes under them over and over, and they wait', async () => {
    await bed.rivulet.topics.get('orders');
    await placeWhileDown();
    const { topics } = bed.stores;
    const declare = topics.declare.bind(topics);
    topics.declare = async (topic, settings) => {
      const info = await declare(topic, settings);
      await topics.remove(topic);
      await declare(topic, settings);
      return info;
    };
    bed.stores.comeUp();
    await topics.remove('orders');
    const { error } = await bed.rivulet.events.next('outbox-stuck');
    expect(error).toMatchObject({ code: 'TOPIC_KEEPS_CHANGING', topic: 'orders' });
    expect(bed.database.waiting).toHaveLength(1);
    topics.declare = declare;
    expect(await groupsSent()).toEqual([...GROUPS].sort());
  });
});

describe('a topic that grows while a transaction stores its halves', () => {
  it('loses nothing that comes to a queue which has a half of the transaction', async () => {
    const bed = await TestBed.open();
    const { halves, topics } = bed.stores;
    const prepare = halves.prepare.bind(halves);
    halves.prepare = async (call) => {
      // Queue 1 has its half when the topic grows; queue 0 is told that it moved.
      if (call.queue === 0 && (await topics.find(call.topic))!.queues === 2)
        await topics.alter(call.topic, { queues: 4 });
      return prepare(call);
    };
    const messageGroup = GROUPS.find((group) => selectQueue(group, 2) === 1)!;
    const names = Array.from({ length: 60 }, (_, i) => `orders-${i}`);
    const toTakenQueues: string[] = [];
    bed.rivulet.events.on('outbox-kept', ({ transactionId }) => toTakenQueues.push(transactionId));
    for (const topic of names) {
      await topics.declare(topic, { queues: 2 });
      await bed.rivulet.transactions.run(async () => {
        await bed.publish(topic, 'a', { messageGroup });
        await bed.publish(topic, 'b');
      });
    }
    await bed.advance(60_000);
    for (const topic of names)
      expect((await bed.sent(topic)).map(({ body }) => body).sort()).toEqual(['a', 'b']);
    expect(toTakenQueues.length).toBeGreaterThan(0);
    await bed.close();
  });
});
