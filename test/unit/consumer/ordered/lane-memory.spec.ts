import { jest } from '@jest/globals';
import type { Delivery } from '../../../../lib/core/consumer/subscription.js';
import { MessageAdmin } from '../../../../lib/inspect/message-admin.js';
import { TestBed } from '../../../../lib/testing/test-bed.js';
import { Gate } from './gate.js';

const QUEUES = 4;
const BODY_BYTES = 1_000;
const MOST_BYTES = 40_000;
const ref = (queue: number) => ({ topic: 'orders', queue, group: 'billing' });

describe('the memory of an ordered subscription', () => {
  let bed: TestBed;
  const handled: string[] = [];
  const body = (text: string): string => text.padEnd(BODY_BYTES, '.');
  const publish = (messageGroup: string, text: string) =>
    bed.publish('orders', body(text), { messageGroup });

  beforeEach(async () => {
    handled.length = 0;
    bed = await TestBed.open({
      settings: {
        consumer: { maxInHandBytes: MOST_BYTES },
        ordered: { queueBuffer: 400, laneBuffer: 100 },
        topics: { queues: QUEUES },
      },
    });
    await bed.stores.topics.declare('orders', { queues: QUEUES });
  });
  afterEach(() => bed.close());

  const note = ({ body: text }: Delivery): void => void handled.push(String(text).split('.')[0]!);
  const subscribe = (handler: (delivery: Delivery) => unknown, concurrency = 4) =>
    bed.subscribe({ topic: 'orders', group: 'billing', ordered: true, concurrency, handler });

  /** Delivered, and neither settled nor put aside in the store. */
  const inHand = async (): Promise<number> => {
    const lags = await Promise.all(
      Array.from({ length: QUEUES }, (_, queue) => bed.stores.deliveries.lag(ref(queue))),
    );
    return lags.reduce((sum, { inFlight, waiting }) => sum + inFlight + waiting, 0);
  };
  const most = MOST_BYTES / BODY_BYTES + 16; // and a first read that knows no sizes

  it('is bounded over all queues, however many message groups wait for a slot', async () => {
    const gate = new Gate();
    for (let i = 0; i < 400; i++) await publish(`g${i}`, `m${i}`);
    await subscribe(async (delivery) => {
      await gate.pass();
      note(delivery);
    });
    await bed.advance(2_000);
    expect(await inHand()).toBeGreaterThan(20);
    expect(await inHand()).toBeLessThanOrEqual(most);
    await gate.open();
    for (let i = 0; i < 100 && handled.length < 400; i++) await bed.advance(100);
    expect(new Set(handled).size).toBe(400);
  });

  it('asks again for every message that failed, when its time comes', async () => {
    let isDown = true;
    for (let i = 0; i < 300; i++) await publish(`g${i}`, `m${i}`);
    await subscribe((delivery) => {
      if (isDown) throw new Error('down');
      note(delivery);
    });
    await bed.advance(5_000);
    expect(await inHand()).toBe(300);
    isDown = false;
    for (let i = 0; i < 200 && handled.length < 300; i++) await bed.advance(1_000);
    expect(new Set(handled).size).toBe(300);
  });

  it('asks for many at once, as many as there is room for', async () => {
    const gate = new Gate();
    let isDown = true;
    for (let i = 0; i < 300; i++) await publish(`g${i}`, `m${i}`);
    const retry = { maxAttempts: 9, backoff: { fromMs: 2_000, toMs: 2_000, jitter: 0 } };
    await bed.subscribe({
      ...{ topic: 'orders', group: 'billing', ordered: true, concurrency: 20, retry },
      handler: async (delivery) => {
        if (isDown) throw new Error('down');
        await gate.pass();
        note(delivery);
      },
    });
    await bed.advance(1_500);
    isDown = false;
    // All are due by then, and those that have a slot stand in front of the gate.
    await bed.advance(4_000);
    const contents = jest.spyOn(bed.stores.leases, 'contents');
    await gate.open();
    for (let i = 0; i < 200 && handled.length < 300; i++) await bed.advance(100);
    expect(new Set(handled).size).toBe(300);
    const recalled = contents.mock.calls.map(([, offsets]) => offsets.length);
    const all = recalled.reduce((sum, count) => sum + count);
    expect(all).toBeGreaterThan(200);
    expect(Math.max(...recalled)).toBeLessThanOrEqual(MOST_BYTES / BODY_BYTES);
    expect(recalled.length).toBeLessThan(all / 4);
  });

  it('knows no more lanes than it may, and goes on once some of them have ended', async () => {
    await bed.close();
    bed = await TestBed.open({ settings: { ordered: { maxLanes: 10 }, topics: { queues: 2 } } });
    for (let i = 0; i < 200; i++) await publish(`g${i}`, `m${i}`);
    let isDown = true;
    const failed = new Set<string>();
    await subscribe(({ message, body: text }) => {
      if (isDown) {
        failed.add(message.messageGroup!);
        throw new Error('down');
      }
      handled.push(String(text));
    });
    await bed.advance(20_000);
    expect(failed.size).toBe(20);
    isDown = false;
    for (let i = 0; i < 200 && handled.length < 200; i++) await bed.advance(1_000);
    expect(new Set(handled).size).toBe(200);
  });

  it('reads no more once as many lanes are parked as may be, tells so once each time, and goes on once some of them do', async () => {
    await bed.close();
    const ordered = { maxParkedLanes: 10, maxLanes: 5 };
    bed = await TestBed.open({ settings: { ordered, topics: { queues: 1 } } });
    const full: unknown[] = [];
    bed.rivulet.events.on('lanes-full', (facts) => void full.push(facts));
    for (let i = 0; i < 200; i++) await publish(`g${i}`, `m${i}`);
    const admin = new MessageAdmin({ rivulet: bed.rivulet });
    const parked = async () => (await admin.listParkedLanes('orders', 'billing')).length;
    let isDown = true;
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      ordered: true,
      retry: { maxAttempts: 1 },
      handler: (delivery) => {
        if (isDown) throw new Error('never');
        note(delivery);
      },
    });
    await bed.advance(20_000);
    expect(full).toEqual([{ ...ref(0), parkedLanes: expect.any(Number) }]);
    expect(await parked()).toBeGreaterThanOrEqual(10);
    expect(await parked()).toBeLessThan(15);
    isDown = false;
    for (const lane of await admin.listParkedLanes('orders', 'billing'))
      await admin.resumeLane('orders', 'billing', lane);
    for (let i = 0; i < 100 && handled.length < 200; i++) await bed.advance(1_000);
    expect(new Set(handled).size).toBe(200);
    expect(full).toHaveLength(1);
    isDown = true;
    for (let i = 0; i < 20; i++) await publish(`g${i}`, `again${i}`);
    await bed.advance(20_000);
    expect(full).toHaveLength(2);
  });

  it('is not taken by what follows a handler that hangs: others go on, and it does, in order', async () => {
    const gate = new Gate();
    for (let i = 0; i < 100; i++) await publish('hot', `hot${i}`);
    for (let i = 0; i < 60; i++) await publish(`g${i % 20}`, `g${i % 20}-${i}`);
    await subscribe(async (delivery) => {
      if (delivery.message.messageGroup === 'hot' && handled.every((text) => text[0] !== 'h'))
        await gate.pass();
      note(delivery);
    });
    for (let i = 0; i < 100 && handled.length < 60; i++) await bed.advance(100);
    expect(handled).toHaveLength(60);
    await gate.open();
    for (let i = 0; i < 100 && handled.length < 160; i++) await bed.advance(100);
    const hot = handled.filter((text) => text.startsWith('hot'));
    expect(hot).toEqual(Array.from({ length: 100 }, (_, i) => `hot${i}`));
  });

  it('keeps nobody waiting for messages that fail, however many bytes these have', async () => {
    for (let i = 0; i < 200; i++) await publish(`bad${i}`, `bad${i}`);
    for (let i = 0; i < 200; i++) await publish(`g${i % 50}`, `g${i % 50}-${i}`);
    let isDown = true;
    await subscribe((delivery) => {
      if (isDown && delivery.message.messageGroup!.startsWith('bad')) throw new Error('down');
      note(delivery);
    });
    // No message that failed has another attempt by then.
    await bed.advance(900);
    expect(handled).toHaveLength(200);
    isDown = false;
    for (let i = 0; i < 200 && handled.length < 400; i++) await bed.advance(500);
    expect(new Set(handled).size).toBe(400);
  });

  it('holds what an owner before has read, and keeps its order', async () => {
    for (let i = 0; i < 300; i++) await publish(`g${i % 30}`, `g${i % 30}-${i}`);
    const { leases, topics } = bed.stores;
    const owner = 'dead';
    const { group } = ref(0);
    await topics.joinGroup('orders', {
      ...{ group, mode: 'ordered', filterDigest: '' },
      ...{ from: 'earliest', allowFilterChange: false },
    });
    for (let queue = 0; queue < QUEUES; queue++) {
      const taken = await leases.acquire(ref(queue), { owner, leaseMs: 1_000 });
      const { fencingToken } = taken as { fencingToken: number };
      const proof = { owner, fencingToken, version: 0 };
      await leases.load(ref(queue), proof, { after: null, count: 100 });
      await leases.read(ref(queue), proof, 1_000);
    }
    const order = new Map<string, string[]>();
    await subscribe((delivery) => {
      const { messageGroup } = delivery.message;
      note(delivery);
      order.set(messageGroup!, [...(order.get(messageGroup!) ?? []), handled.at(-1)!]);
    });
    for (let i = 0; i < 200 && handled.length < 300; i++) await bed.advance(500);
    for (let g = 0; g < 30; g++)
      expect(order.get(`g${g}`)).toEqual(
        Array.from({ length: 10 }, (_, n) => `g${g}-${g + 30 * n}`),
      );
  });

  it('lets a message through that is larger than all of it, alone', async () => {
    for (const name of ['a', 'b'])
      for (let i = 0; i < 3; i++)
        await bed.publish('orders', `${name}${i}`.padEnd(2 * MOST_BYTES, '.'), {
          messageGroup: name,
        });
    let isFirst = true;
    await subscribe((delivery) => {
      if (isFirst) {
        isFirst = false;
        throw new Error('not yet');
      }
      note(delivery);
    });
    for (let i = 0; i < 100 && handled.length < 6; i++) await bed.advance(200);
    for (const name of ['a', 'b'])
      expect(handled.filter((text) => text.startsWith(name))).toEqual(
        [0, 1, 2].map((i) => name + i),
      );
  });

  it('is not filled by messages that are due and find no slot', async () => {
    const gate = new Gate();
    for (let i = 0; i < 200; i++) await publish(`g${i}`, `m${i}`);
    let hangs = false;
    await subscribe(async (delivery) => {
      if (!hangs) throw new Error('down');
      await gate.pass();
      note(delivery);
    }, 1);
    await bed.advance(900);
    hangs = true;
    const contents = jest.spyOn(bed.stores.leases, 'contents');
    await bed.advance(5_000);
    const recalled = contents.mock.calls.map(([, offsets]) => offsets.length);
    const all = recalled.reduce((sum, count) => sum + count);
    expect(all).toBeGreaterThan(10);
    expect(all).toBeLessThanOrEqual(MOST_BYTES / BODY_BYTES + QUEUES);
    await gate.open();
    for (let i = 0; i < 200 && handled.length < 200; i++) await bed.advance(500);
    expect(new Set(handled).size).toBe(200);
  });
});
