import type { Delivery } from '../../../lib/core/consumer/subscription.js';
import { InvalidOptionsError } from '../../../lib/core/message/errors.js';
import { sleep } from '../../../lib/core/runtime/clock.js';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';

const TOPIC = 'order.placed';
const GROUP = 'billing';
const hang = (): Promise<void> => new Promise(() => {});

/** What handlers of all processes do at the moment, and have done, by tenant. */
class Watch {
  readonly most = new Map<string, number>();
  readonly handled: { tenant: string; n: unknown; at: number; attempt: number }[] = [];
  private readonly now = new Map<string, number>();

  begin(tenant: string): void {
    const count = (this.now.get(tenant) ?? 0) + 1;
    this.now.set(tenant, count);
    this.most.set(tenant, Math.max(count, this.most.get(tenant) ?? 0));
  }

  end(tenant: string): void {
    this.now.set(tenant, this.now.get(tenant)! - 1);
  }

  of(tenant: string): { n: unknown; at: number }[] {
    return this.handled.filter((each) => each.tenant === tenant);
  }
}

describe('concurrency per key', () => {
  let first: TestBed;
  let beds: TestBed[];
  let watch: Watch;
  beforeEach(async () => {
    first = await TestBed.open({ settings: { topics: { queues: 2 } } });
    beds = [first];
    watch = new Watch();
  });
  afterEach(async () => {
    for (const bed of beds) await bed.close();
  });
  const more = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) beds.push(await first.sibling());
  };
  const tenantOf = ({ message }: Delivery): string => String(message.properties['tenant']);
  const takes =
    (ms: number) =>
    async (delivery: Delivery): Promise<void> => {
      const tenant = tenantOf(delivery);
      watch.begin(tenant);
      await sleep(first.clock, ms, delivery.signal);
      watch.end(tenant);
      const { body, attempt } = delivery;
      watch.handled.push({ tenant, n: body, at: first.clock.monotonic(), attempt });
    };
  const subscribe = (bed: TestBed, options: Partial<TestSubscription> = {}): Promise<void> =>
    bed.subscribe({
      topic: TOPIC,
      group: GROUP,
      concurrencyPer: { key: 'tenant', max: 2 },
      handler: takes(20),
      ...options,
    });
  const publish = async (tenant: string, count: number): Promise<void> => {
    const sends = Array.from({ length: count }, (_, n) =>
      first.publish(TOPIC, n, { properties: { tenant } }),
    );
    await Promise.all(sends);
  };

  const WAYS: [string, Partial<TestSubscription>][] = [
    ['a topic', {}],
    ['a pattern of topics', { topic: 'order.*' }],
    [
      'a filter beside it',
      { concurrencyPer: { key: ({ properties }) => properties['tenant'] as string, max: 2 } },
    ],
  ];
  it.each(WAYS)(
    'holds in all processes together, and nothing is lost, with %s',
    async (_, options) => {
      await more(2);
      await publish('noisy', 60);
      await publish('quiet', 6);
      for (const bed of beds) await subscribe(bed, options);
      await first.advance(5_000);
      expect(
        watch
          .of('noisy')
          .map(({ n }) => n)
          .sort((a, b) => Number(a) - Number(b)),
      ).toEqual(Array.from({ length: 60 }, (__, n) => n));
      expect(watch.of('quiet')).toHaveLength(6);
      expect(Object.fromEntries(watch.most)).toEqual({ noisy: 2, quiet: 2 });
      expect(watch.handled.every(({ attempt }) => attempt === 1)).toBe(true);
    },
  );

  it('keeps no message of another key waiting, and uses what it may', async () => {
    await publish('noisy', 500);
    await subscribe(first);
    await first.advance(200);
    const before = first.clock.monotonic();
    await publish('quiet', 2);
    await first.advance(100);
    expect(watch.of('quiet')).toHaveLength(2);
    for (const { at } of watch.of('quiet')) expect(at - before).toBeLessThan(60);
    await first.advance(9_700);
    // Two at once, for 20 ms each: 10 000 ms would do for a thousand.
    expect(watch.of('noisy')).toHaveLength(500);
    expect(watch.most.get('noisy')).toBe(2);
    expect(watch.of('noisy').at(-1)!.at).toBeLessThan(6_500);
  });

  it('holds few messages in a process: the others wait in the store, and cost no attempt', async () => {
    await publish('noisy', 200);
    await subscribe(first, { concurrency: 4, handler: hang });
    await first.advance(10_000);
    const lag = await Promise.all(
      [0, 1].map((queue) => first.stores.deliveries.lag({ topic: TOPIC, queue, group: GROUP })),
    );
    const sum = (of: 'inFlight' | 'waiting'): number =>
      lag.reduce((all, each) => all + each[of], 0);
    expect(sum('inFlight')).toBeLessThanOrEqual(2 + 4 + 4);
    expect(sum('inFlight') + sum('waiting')).toBe(200);
  });

  it('lets every process have some', async () => {
    await more(1);
    await publish('noisy', 10);
    await subscribe(first, { concurrencyPer: { key: 'tenant', max: 1 } });
    let byOther = 0;
    await subscribe(beds[1]!, {
      concurrencyPer: { key: 'tenant', max: 1 },
      handler: async (delivery) => {
        await takes(20)(delivery);
        byOther += 1;
      },
    });
    for (let i = 0; i < 20; i++) {
      await publish('noisy', 25);
      await first.advance(500);
    }
    await first.advance(10_000);
    expect(watch.most.get('noisy')).toBe(1);
    expect(byOther).toBeGreaterThan(20);
    expect(watch.handled.length - byOther).toBeGreaterThan(20);
  });

  it('frees what a dead process had, once its lease has lapsed', async () => {
    await more(1);
    const per = { concurrencyPer: { key: 'tenant', max: 1 } };
    await publish('noisy', 5);
    await subscribe(first, { ...per, handler: hang });
    await first.advance(100);
    await subscribe(beds[1]!, per);
    await first.advance(100);
    expect(watch.handled).toHaveLength(0);
    first.crash();
    await first.advance(60_000);
    expect(watch.of('noisy')).toHaveLength(5);
  });

  it('keeps it for as long as a handler runs', async () => {
    await more(1);
    const per = { concurrencyPer: { key: 'tenant', max: 1 } };
    await publish('noisy', 2);
    for (const bed of beds) await subscribe(bed, { ...per, handler: takes(200_000) });
    await first.advance(450_000);
    expect(watch.most.get('noisy')).toBe(1);
    expect(watch.handled).toHaveLength(2);
  });

  it('holds when replies are lost and the store is away for a while', async () => {
    await more(1);
    await publish('noisy', 60);
    for (const bed of beds) await subscribe(bed);
    for (let i = 0; i < 5; i++) {
      await first.advance(60);
      for (const bed of beds) bed.stores.loseReplies(3);
      await first.advance(200);
      first.stores.goDown();
      await first.advance(300);
      first.stores.comeUp();
    }
    await first.advance(60_000);
    expect(watch.most.get('noisy')).toBe(2);
    expect(new Set(watch.of('noisy').map(({ n }) => n)).size).toBe(60);
  });

  it('does not limit messages without a key, and takes numbers', async () => {
    const key = ({ properties }: { properties: Record<string, unknown> }): number | undefined =>
      properties['tenant'] === 'none' ? undefined : 7;
    await publish('none', 8);
    await publish('a', 4);
    await publish('b', 4);
    await subscribe(first, { concurrencyPer: { key, max: 1 }, concurrency: 16 });
    await first.advance(2_000);
    expect(watch.most.get('none')).toBe(8);
    expect(watch.of('a').length + watch.of('b').length).toBe(8);
    expect(watch.most.get('a')).toBe(1);
  });

  it('counts what the function throws as a failed attempt, and refuses what is no key', async () => {
    const key = ({ properties }: { properties: Record<string, unknown> }): string => {
      if (properties['tenant'] === 'throws') throw new Error('no such tenant');
      return '';
    };
    await publish('throws', 1);
    await publish('empty', 1);
    await subscribe(first, {
      concurrencyPer: { key, max: 1 },
      retry: { maxAttempts: 2, backoff: { fromMs: 10, jitter: 0 } },
    });
    await first.advance(2_000);
    const dead = await first.deadLetters(TOPIC, GROUP);
    expect(dead.map(({ reason }) => reason).sort()).toEqual([
      expect.stringContaining('failed 2 times; last: Error: no such tenant'),
      expect.stringContaining('concurrencyPer.key must be text of 1 to 255 characters'),
    ]);
    expect(watch.handled).toHaveLength(0);
  });

  it('counts each message of a batch', async () => {
    const sizes: number[] = [];
    await publish('noisy', 6);
    await publish('quiet', 1);
    first.rivulet.subscribeBatch({
      topic: TOPIC,
      group: GROUP,
      origin: 'the test',
      concurrencyPer: { key: 'tenant', max: 2 },
      batch: { size: 10, withinMs: 50 },
      handler: (deliveries) => {
        sizes.push(deliveries.filter((each) => tenantOf(each) === 'noisy').length);
      },
    });
    await first.rivulet.consume();
    await first.advance(5_000);
    expect(Math.max(...sizes)).toBe(2);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(6);
  });

  it('hands over at once when a process stops', async () => {
    await more(1);
    const per = { concurrencyPer: { key: 'tenant', max: 1 } };
    await publish('noisy', 8);
    await subscribe(first, { ...per, handler: takes(1_000) });
    await first.advance(100);
    await subscribe(beds[1]!, per);
    const stopping = first.rivulet.stop();
    await first.advance(2_500);
    await stopping;
    await first.advance(1_000);
    expect(watch.of('noisy')).toHaveLength(8);
    expect(watch.most.get('noisy')).toBe(1);
  });

  it('that cannot be meant is refused, with every problem', async () => {
    const subscribing = subscribe(first, {
      ordered: true,
      mode: 'broadcasting',
      concurrencyPer: { key: '', mx: 2 } as never,
    });
    await expect(subscribing).rejects.toThrow(InvalidOptionsError);
    await expect(subscribing).rejects.toMatchObject({
      problems: expect.arrayContaining([
        expect.stringContaining('did you mean "max"'),
        expect.stringContaining('concurrencyPer.key must be the name of a property'),
        expect.stringContaining('concurrencyPer.max must be an integer'),
        expect.stringContaining('concurrencyPer has no place with mode "broadcasting"'),
        expect.stringContaining('concurrencyPer has no place with ordered'),
      ]),
    });
  });
});
