import type { Delivery } from '../../../../lib/core/consumer/subscription.js';
import type { SendOptions } from '../../../../lib/core/message/message.js';
import { laneOfGroup } from '../../../../lib/core/consumer/ordered/lane-name.js';
import { silentLogger } from '../../../../lib/core/runtime/logger.js';
import { TestBed } from '../../../../lib/testing/test-bed.js';
import { Gate } from './gate.js';

const BILLING = { topic: 'orders', group: 'billing', ordered: true } as const;

describe('an ordered subscription', () => {
  let bed: TestBed;
  const seen: string[] = [];
  const note = ({ body, attempt }: Delivery): void =>
    void seen.push(attempt === 1 ? String(body) : `${String(body)}/${attempt}`);
  beforeEach(async () => {
    seen.length = 0;
    bed = await TestBed.open();
    await bed.stores.topics.declare('orders', { queues: 1 });
  });
  afterEach(() => bed.close());

  const publish = (messageGroup: string | undefined, body: unknown, options: SendOptions = {}) =>
    bed.publish('orders', body, { ...options, ...(messageGroup ? { messageGroup } : {}) });
  const publishAll = async (messageGroup: string, ...bodies: string[]): Promise<void> => {
    for (const body of bodies) await publish(messageGroup, body);
  };

  it('handles a message group one after the other, in the order of sending', async () => {
    await publishAll('a', 'a1', 'a2', 'a3');
    let running = 0;
    let most = 0;
    await bed.subscribe({
      ...BILLING,
      handler: async (delivery) => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        note(delivery);
        running -= 1;
      },
    });
    await publishAll('a', 'a4');
    await bed.advance(50);
    expect(seen).toEqual(['a1', 'a2', 'a3', 'a4']);
    expect(most).toBe(1);
  });

  it('goes on before the turn of the event loop ends while its handlers end at once', async () => {
    for (let i = 0; i < 200; i++) await publishAll(`group-${i}`, `${i}`);
    let inFirstTurn = 0;
    await bed.subscribe({
      ...BILLING,
      concurrency: 40,
      handler: (delivery) => {
        if (seen.length === 0) setImmediate(() => (inFirstTurn = seen.length));
        note(delivery);
      },
    });
    await bed.advance(100);
    expect(seen).toHaveLength(200);
    expect(inFirstTurn).toBeGreaterThan(40);
  });

  it('handles message groups side by side, up to its concurrency', async () => {
    const gate = new Gate();
    for (const group of ['a', 'b', 'c']) await publishAll(group, `${group}1`, `${group}2`);
    await bed.subscribe({
      ...BILLING,
      concurrency: 2,
      handler: async (delivery) => {
        note(delivery);
        await gate.pass();
      },
    });
    await bed.advance(10);
    expect(seen).toEqual(['a1', 'b1']);
    await gate.open();
    await bed.advance(10);
    expect(seen).toHaveLength(6);
    for (const group of ['a', 'b', 'c'])
      expect(seen.filter((body) => body.startsWith(group))).toEqual([`${group}1`, `${group}2`]);
  });

  it('says once when messages have no message group, and so no order', async () => {
    const said: string[] = [];
    const logged = await TestBed.open({
      logger: { ...silentLogger, warn: (line) => void said.push(line) },
    });
    await logged.subscribe({ ...BILLING, handler: note });
    await logged.publish('orders', 'in order', { messageGroup: 'a' });
    await logged.advance(10);
    expect(said).toEqual([]);
    for (const body of ['x', 'y']) await logged.publish('orders', body);
    await logged.advance(10);
    expect(said).toEqual([
      expect.stringMatching(/^orders\/billing: .* is ordered, .* keep no order/),
    ]);
    expect(seen).toEqual(['in order', 'x', 'y']);
    await logged.close();
  });

  it('lets a failed message wait at the head of its lane, and others go on', async () => {
    await publishAll('a', 'a1', 'a2');
    await publishAll('b', 'b1', 'b2');
    await bed.subscribe({
      ...BILLING,
      handler: (delivery) => {
        note(delivery);
        if (delivery.body === 'a1' && delivery.attempt < 3) throw new Error('not yet');
      },
    });
    await bed.advance(500);
    expect(seen).toEqual(['a1', 'b1', 'b2']);
    await bed.advance(3_000);
    expect(seen).toEqual(['a1', 'b1', 'b2', 'a1/2', 'a1/3', 'a2']);
  });

  it('holds up no lane and keeps no slot while failed messages wait, however many they are', async () => {
    const failing = Array.from({ length: 20 }, (_, i) => `f${i}`);
    const healthy = Array.from({ length: 20 }, (_, i) => `h${i}`);
    for (let i = 0; i < 20; i++)
      for (const group of [failing[i]!, healthy[i]!])
        await publishAll(group, `${group}:1`, `${group}:2`);
    await bed.subscribe({
      ...BILLING,
      concurrency: 1,
      handler: (delivery) => {
        note(delivery);
        if (String(delivery.body).startsWith('f')) throw new Error('not yet');
      },
    });
    // Less than the pause of a single retry.
    await bed.advance(500);
    expect(seen.filter((body) => body.startsWith('h')).toSorted()).toEqual(
      healthy.flatMap((group) => [`${group}:1`, `${group}:2`]).toSorted(),
    );
    expect(seen.filter((body) => body.startsWith('f')).toSorted()).toEqual(
      failing.map((group) => `${group}:1`).toSorted(),
    );
    await publishAll('new', 'new:1');
    await bed.advance(10);
    expect(seen.at(-1)).toBe('new:1');
  });

  it('runs messages without a group without any order or wait', async () => {
    await publish(undefined, 'x');
    await publish(undefined, 'y');
    await bed.subscribe({
      ...BILLING,
      handler: (delivery) => {
        note(delivery);
        if (delivery.body === 'x') throw new Error('never');
      },
    });
    await bed.advance(100);
    expect(seen).toEqual(['x', 'y']);
  });

  it('keeps the order of a whole queue', async () => {
    await publishAll('a', 'a1');
    await publishAll('b', 'b1');
    await publish(undefined, 'x');
    await bed.subscribe({
      ...{ ...BILLING, ordered: 'queue' as const },
      handler: (delivery) => {
        note(delivery);
        if (delivery.body === 'a1' && delivery.attempt === 1) throw new Error('once');
      },
    });
    await bed.advance(2_000);
    expect(seen).toEqual(['a1', 'a1/2', 'b1', 'x']);
  });

  it('parks the lane of a message that used up its attempts, until it is resumed', async () => {
    await publishAll('a', 'a1', 'a2');
    await publishAll('b', 'b1');
    let healed = false;
    const parked = bed.rivulet.events.next('lane-parked');
    await bed.subscribe({
      ...BILLING,
      retry: { maxAttempts: 2 },
      handler: (delivery) => {
        note(delivery);
        if (delivery.body === 'a1' && !healed) throw new Error('broken');
      },
    });
    await bed.advance(2_000);
    expect(await parked).toMatchObject({ messageGroup: 'a', attempt: 2, error: 'Error: broken' });
    await publishAll('a', 'a3');
    await publishAll('b', 'b2');
    await bed.advance(10_000);
    expect(seen).toEqual(['a1', 'b1', 'a1/2', 'b2']);

    healed = true;
    const ref = { topic: 'orders', queue: 0, group: 'billing' };
    const lane = laneOfGroup('a');
    expect(await bed.stores.leases.resume(ref, lane, { action: 'retry', note: '' })).toBe(true);
    await bed.advance(6_000);
    expect(seen.slice(4)).toEqual(['a1', 'a2', 'a3']);
    await publishAll('a', 'a4');
    await bed.advance(10);
    expect(seen.at(-1)).toBe('a4');
    expect(await bed.stores.leases.heldLanes(ref)).toEqual([]);
  });

  it.each([
    ['dead-letter', 1],
    ['skip', 0],
  ] as const)(
    'goes on after an exhausted message when told to: %s',
    async (onExhausted, letters) => {
      await publishAll('a', 'a1', 'a2');
      await bed.subscribe({
        ...BILLING,
        onExhausted,
        retry: { maxAttempts: 1 },
        handler: (delivery) => {
          note(delivery);
          if (delivery.body === 'a1') throw new Error('broken');
        },
      });
      await bed.advance(100);
      expect(seen).toEqual(['a1', 'a2']);
      expect(await bed.deadLetters('orders', 'billing')).toHaveLength(letters);
    },
  );

  it('puts aside what its buffers do not take, and loses neither messages nor order', async () => {
    const small = await TestBed.open({ settings: { ordered: { laneBuffer: 3, queueBuffer: 10 } } });
    await small.stores.topics.declare('orders', { queues: 1 });
    const bodies = Array.from({ length: 40 }, (_, i) => i);
    for (const i of bodies) await small.publish('orders', i, { messageGroup: 'hot' });
    for (const i of bodies)
      await small.publish('orders', 100 + i, { messageGroup: `cool ${i % 5}` });
    const got: number[] = [];
    let fails = true;
    await small.subscribe({
      ...BILLING,
      retry: { backoff: () => 1_000 },
      handler: ({ body }) => {
        if (fails && body === 0) throw new Error('later');
        got.push(body as number);
      },
    });
    await small.advance(500);
    expect(got.filter((body) => body < 100)).toEqual([]);
    expect(got).toHaveLength(40);
    fails = false;
    await small.advance(2_000);
    expect(got.filter((body) => body < 100)).toEqual(bodies);
    expect(
      await small.stores.deliveries.lag({ topic: 'orders', queue: 0, group: 'billing' }),
    ).toMatchObject({ undelivered: 0, inFlight: 0, held: 0 });
    await small.close();
  });
});
