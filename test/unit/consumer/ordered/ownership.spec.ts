import type { Delivery, Handler } from '../../../../lib/core/consumer/subscription.js';
import { TestBed } from '../../../../lib/testing/test-bed.js';
import { Gate } from './gate.js';

const BILLING = { topic: 'orders', group: 'billing', ordered: true } as const;
const SETTINGS = { heartbeatMs: 1_000, deadAfterMs: 3_000 };
const LEASE_MS = 15_000;

describe('the owner of a queue', () => {
  const beds: TestBed[] = [];
  afterEach(async () => {
    for (const bed of beds.splice(0)) await bed.close();
  });
  const open = async (queues: number): Promise<TestBed> => {
    const bed = await TestBed.open({ settings: SETTINGS });
    await bed.stores.topics.declare('orders', { queues });
    beds.push(bed);
    return bed;
  };
  const sibling = async (bed: TestBed): Promise<TestBed> => {
    const other = await bed.sibling({ settings: SETTINGS });
    beds.push(other);
    return other;
  };
  const send = async (bed: TestBed, messageGroup: string, ...bodies: string[]): Promise<void> => {
    for (const body of bodies) await bed.publish('orders', body, { messageGroup });
  };
  const recorder = (): { seen: Delivery[]; bodies(): unknown[]; handler: Handler } => {
    const seen: Delivery[] = [];
    return {
      seen,
      bodies: () => seen.map(({ body }) => body),
      handler: (delivery) => void seen.push(delivery),
    };
  };
  const owned = (bed: TestBed) =>
    Promise.all(
      [0, 1, 2, 3].map(async (queue) => {
        const ref = { topic: 'orders', queue, group: 'billing' };
        return (await bed.stores.leases.view(ref)).owner;
      }),
    );

  it('is followed by another one when it dies, which goes on where it stood', async () => {
    const a = await open(1);
    const b = await sibling(a);
    await send(a, 'g', '1', '2', '3');
    const gate = new Gate();
    const ofA: Delivery[] = [];
    await a.subscribe({
      ...BILLING,
      handler: async (delivery) => {
        ofA.push(delivery);
        if (delivery.body === '2') await gate.pass();
      },
    });
    const ofB = recorder();
    await b.subscribe({ ...BILLING, handler: ofB.handler });
    await a.advance(100);
    expect(ofA.map(({ body }) => body)).toEqual(['1', '2']);
    a.crash();
    await a.advance(LEASE_MS + 2_000);
    expect(ofB.bodies()).toEqual(['2', '3']);
    // A start that was cut off by a crash costs nothing.
    expect(ofB.seen.map(({ attempt }) => attempt)).toEqual([1, 1]);
    expect(ofB.seen[0]!.fencingToken).toBeGreaterThan(ofA[1]!.fencingToken!);
    expect(ofA[1]!.signal.aborted).toBe(true);
    await gate.open();
  });

  it('keeps its queues, however much else its process has to look after', async () => {
    const a = await open(4);
    const b = await sibling(a);
    await b.stores.topics.declare('elsewhere', { queues: 600 });
    await b.subscribe({ topic: 'elsewhere', group: 'billing' });
    for (const bed of [a, b]) await bed.subscribe(BILLING);
    await a.advance(60_000);
    const moves: unknown[] = [];
    for (const bed of [a, b])
      for (const name of ['queue-acquired', 'queue-lost', 'queue-released'] as const)
        bed.rivulet.events.on(name, (facts) => moves.push({ name, ...facts }));
    await a.advance(120_000);
    expect(moves).toEqual([]);
    expect(new Set(await owned(a)).size).toBe(2);
  });

  it('stops by itself before another one may follow it', async () => {
    const a = await open(1);
    const b = await sibling(a);
    await send(a, 'g', '1', '2');
    const gate = new Gate();
    let aborted = Infinity;
    const ofA: unknown[] = [];
    await a.subscribe({
      ...BILLING,
      handler: async ({ body, signal }) => {
        ofA.push(body);
        signal.addEventListener('abort', () => (aborted = a.clock.monotonic()));
        await gate.pass();
      },
    });
    const ofB = recorder();
    await b.subscribe({
      ...BILLING,
      handler: (delivery) => {
        ofB.handler(delivery);
        expect(aborted).toBeLessThan(a.clock.monotonic());
      },
    });
    await a.advance(10);
    const lost = a.rivulet.events.next('queue-lost');
    a.stores.goDown();
    await a.advance(20_000);
    expect(await lost).toMatchObject({ topic: 'orders', queue: 0, group: 'billing' });
    expect(ofB.bodies()).toEqual(['1', '2']);
    a.stores.comeUp();
    await gate.open();
    await a.advance(5_000);
    expect(ofA).toEqual(['1']);
    expect(ofB.bodies()).toEqual(['1', '2']);
  });

  it('settles what its handler did although it had to begin again meanwhile', async () => {
    const a = await open(1);
    const sender = await sibling(a);
    await send(sender, 'g', '1', '2', '3');
    const gate = new Gate();
    const seen: Delivery[] = [];
    await a.subscribe({
      ...BILLING,
      handler: async (delivery) => {
        seen.push(delivery);
        if (delivery.body === '1') await gate.pass();
      },
    });
    await a.advance(10);
    const { leases } = a.stores;
    const [read, load] = [leases.read.bind(leases), leases.load.bind(leases)];
    const calls: string[] = [];
    leases.read = (ref, proof, count) => {
      if (calls.push('read') === 1) a.stores.loseReplies(1);
      return read(ref, proof, count);
    };
    leases.load = (ref, proof, page) => {
      calls.push('load');
      return load(ref, proof, page);
    };
    await send(sender, 'h', 'x');
    await a.advance(1_000);
    expect(calls.slice(0, 2)).toEqual(['read', 'load']);
    await gate.open();
    await a.advance(3_000);
    expect(seen.map(({ body }) => body)).toEqual(['1', 'x', '2', '3']);
    expect(seen[0]!.signal.aborted).toBe(false);
    expect(seen.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  it.each([1, 2, 3, 5])('keeps the order when every %sth reply is lost', async (every) => {
    const a = await open(2);
    for (let i = 0; i < 20; i++)
      for (const group of ['g', 'h', 'i']) await send(a, group, `${group}${i}`);
    const seen: string[] = [];
    let count = 0;
    await a.subscribe({
      ...BILLING,
      handler: ({ body }) => {
        seen.push(body as string);
        if (++count % every === 0) a.stores.loseReplies(1);
      },
    });
    await a.advance(60_000);
    a.stores.loseReplies(0);
    await a.advance(10_000);
    for (const group of ['g', 'h', 'i']) {
      const its = [...new Set(seen.filter((body) => body.startsWith(group)))];
      expect(its).toEqual(Array.from({ length: 20 }, (_, i) => `${group}${i}`));
    }
  });

  it('starts later what it could not start in time, also when its lease is renewed before anything else', async () => {
    const a = await open(1);
    const monotonic = a.clock.monotonic.bind(a.clock);
    const seen: unknown[] = [];
    await send(a, 'g', 'blocks the thread');
    await send(a, 'h', 'starts with it');
    await a.subscribe({
      ...BILLING,
      handler: ({ body }) => {
        // Longer than the owner may trust its lease; the timer that ends it has no chance to run before the renewal.
        if (seen.push(body) === 1) a.clock.monotonic = () => monotonic() + 13_000;
      },
    });
    await a.advance(100);
    expect(seen).toEqual(['blocks the thread', 'starts with it']);
  });

  it('runs suspects alone, and parks the one that kills every owner', async () => {
    const first = await open(1);
    await send(first, 'poison', 'p1', 'p2');
    for (const group of ['g', 'h']) await send(first, group, `${group}1`, `${group}2`);
    const handled: string[] = [];
    let starts = 0;
    let bed = first;
    const parked: unknown[] = [];
    for (let life = 0; life < 6; life++) {
      const { stores } = bed;
      bed.rivulet.events.on('lane-parked', (facts) => void parked.push(facts));
      const dying = bed;
      await bed.subscribe({
        ...BILLING,
        retry: { maxAttempts: 3 },
        handler: async ({ body }) => {
          if (body === 'p1') {
            starts += 1;
            dying.crash();
            await new Promise(() => {});
          }
          handled.push(body as string);
        },
      });
      await bed.advance(LEASE_MS + 5_000);
      if (parked.length > 0) break;
      expect(stores.availability.ready).toBe(false);
      bed = await sibling(bed);
    }
    expect(parked).toMatchObject([{ messageGroup: 'poison' }]);
    expect(starts).toBe(4);
    expect(new Set(handled)).toEqual(new Set(['g1', 'g2', 'h1', 'h2']));
    for (const group of ['g', 'h'])
      expect([...new Set(handled.filter((body) => body.startsWith(group)))]).toEqual([
        `${group}1`,
        `${group}2`,
      ]);
  });

  it('lets the others start when the reply for a suspect that needs no handler is lost', async () => {
    const first = await open(1);
    await first.publish('orders', 'suspect', { messageGroup: 'g', ttlMs: 1_000 });
    await first.subscribe({
      ...BILLING,
      handler: async () => {
        first.crash();
        await new Promise(() => {});
      },
    });
    await first.advance(LEASE_MS + 5_000);
    const bed = await sibling(first);
    const { leases } = bed.stores;
    const step = leases.step.bind(leases);
    let lost = 0;
    leases.step = (ref, proof, steps) => {
      if (lost === 0) bed.stores.loseReplies(++lost);
      return step(ref, proof, steps);
    };
    const { bodies, handler } = recorder();
    await bed.subscribe({ ...BILLING, handler });
    await bed.advance(LEASE_MS + 5_000);
    expect(lost).toBe(1);
    await send(bed, 'h', 'next');
    await bed.advance(60_000);
    expect(bodies()).toEqual(['next']);
  });

  it.each([1, 2, 5, 6])(
    'has nothing left when reply %s about what it put aside is lost',
    async (nth) => {
      const bed = await TestBed.open({ settings: { ...SETTINGS, ordered: { laneBuffer: 2 } } });
      beds.push(bed);
      await bed.stores.topics.declare('orders', { queues: 1 });
      const sent = ['0', '1', '2', '3', '4', '5', '6', '7'];
      await send(bed, 'hot', ...sent);
      const { leases } = bed.stores;
      const stepHeld = leases.stepHeld.bind(leases);
      let calls = 0;
      leases.stepHeld = (...call) => {
        if (++calls === nth) bed.stores.loseReplies(1);
        return stepHeld(...call);
      };
      const seen: unknown[] = [];
      await bed.subscribe({
        ...BILLING,
        handler: ({ body, attempt }) => {
          if (body === '0' && attempt === 1) throw new Error('later');
          seen.push(body);
        },
      });
      await bed.advance(60_000);
      expect(calls).toBeGreaterThanOrEqual(nth);
      expect([...new Set(seen)]).toEqual(sent);
      let isQuiet = false;
      void bed.rivulet.stopConsuming(60_000).then(() => (isQuiet = true));
      await bed.advance(1_000);
      expect(isQuiet).toBe(true);
      expect((await owned(bed))[0]).toBeNull();
    },
  );

  it('shares its queues with who joins, and takes them back when it leaves', async () => {
    const a = await open(4);
    const b = await sibling(a);
    await a.subscribe({ ...BILLING, handler: () => {} });
    await a.advance(2_000);
    expect(await owned(a)).toEqual(Array(4).fill(a.rivulet.member));
    await b.subscribe({ ...BILLING, handler: () => {} });
    await a.advance(9_000);
    // Not before the members have been the same for a while.
    expect(new Set(await owned(a))).toEqual(new Set([a.rivulet.member]));
    await a.advance(6_000);
    expect((await owned(a)).filter((owner) => owner === b.rivulet.member)).toHaveLength(2);
    await b.close();
    await a.advance(2_000);
    expect(await owned(a)).toEqual(Array(4).fill(a.rivulet.member));
  });

  it('lets a handler end before it hands over', async () => {
    const a = await open(1);
    const b = await sibling(a);
    await send(a, 'g', '1', '2');
    const gate = new Gate();
    const ofA = recorder();
    const allocation = (name: () => string) => () => new Map([[0, name()]]);
    let owner = a.rivulet.member;
    await a.subscribe({
      ...BILLING,
      allocation: allocation(() => owner),
      handler: async (delivery) => {
        ofA.seen.push(delivery);
        await gate.pass();
      },
    });
    const ofB = recorder();
    await b.subscribe({ ...BILLING, allocation: allocation(() => owner), handler: ofB.handler });
    await a.advance(15_000);
    owner = b.rivulet.member;
    await a.advance(30_000);
    expect([ofA.bodies(), ofB.bodies()]).toEqual([['1'], []]);
    expect(ofA.seen[0]!.signal.aborted).toBe(false);
    await gate.open();
    await a.advance(3_000);
    expect([ofA.bodies(), ofB.bodies()]).toEqual([['1'], ['2']]);
  });

  it('keeps a lane waiting for a handler that exceeds its time, and tells it so', async () => {
    const a = await open(1);
    await send(a, 'g', '1', '2');
    const gate = new Gate();
    const seen: Delivery[] = [];
    await a.subscribe({
      ...BILLING,
      handlerTimeoutMs: 1_000,
      handler: async (delivery) => {
        seen.push(delivery);
        if (seen.length === 1) await gate.pass();
      },
    });
    await a.advance(5_000);
    expect(seen[0]!.signal.aborted).toBe(true);
    expect(seen).toHaveLength(1);
    const retried = a.rivulet.events.next('retried');
    await gate.open();
    await a.advance(5_000);
    expect((await retried).error).toContain('did not finish within 1000 ms');
    expect(seen.map(({ body, attempt }) => [body, attempt])).toEqual([
      ['1', 1],
      ['1', 2],
      ['2', 1],
    ]);
  });

  it('is refused as a member of a group that is not ordered', async () => {
    const a = await open(1);
    const b = await sibling(a);
    await a.subscribe({ topic: 'orders', group: 'billing' });
    await expect(b.subscribe({ ...BILLING })).rejects.toThrow(
      /registered as unordered.*is ordered/,
    );
  });
});
