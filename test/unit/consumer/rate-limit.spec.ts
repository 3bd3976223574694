import { InvalidOptionsError } from '../../../lib/core/message/errors.js';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';

const LIMIT = { max: 5, perMs: 1_000 };
const MESSAGES = 40;
const TOPIC = 'order.placed';

const WAYS: [string, Partial<TestSubscription>][] = [
  ['unordered', {}],
  ['ordered', { ordered: true }],
  ['to a pattern', { topic: 'order.*' }],
  ['ordered, and to a pattern', { topic: 'order.*', ordered: true }],
];

/** The most that began within any `spanMs`. */
function mostWithin(spanMs: number, times: readonly number[]): number {
  return Math.max(
    ...times.map((from) => times.filter((at) => at >= from && at < from + spanMs).length),
  );
}

describe.each(WAYS)('a rate limit of a subscription that is %s', (_, options) => {
  let beds: TestBed[];
  let times: number[];
  let first: TestBed;
  beforeEach(async () => {
    first = await TestBed.open({ settings: { topics: { queues: 2 } } });
    beds = [first, await first.sibling(), await first.sibling()];
    times = [];
  });
  afterEach(async () => {
    for (const bed of beds) await bed.close();
  });
  const subscribe = async (more: Partial<TestSubscription> = {}): Promise<void> => {
    for (const bed of beds)
      await bed.subscribe({
        topic: TOPIC,
        group: 'billing',
        rateLimit: LIMIT,
        handler: () => void times.push(first.clock.monotonic()),
        ...options,
        ...more,
      });
  };
  const publish = async (): Promise<void> => {
    await Promise.all(
      Array.from({ length: MESSAGES }, (__, n) =>
        first.publish(TOPIC, n, { messageGroup: `g${n}` }),
      ),
    );
  };

  it('is one for all processes, and what waits goes on as soon as it may', async () => {
    await first.publish(TOPIC, 'made');
    await subscribe();
    await first.advance(10_000);
    times = [];
    await publish();
    await first.advance(20_000);
    expect(times).toHaveLength(MESSAGES);
    expect(mostWithin(1_000, times)).toBeLessThanOrEqual(2 * LIMIT.max);
    expect(mostWithin(4_000, times)).toBeLessThanOrEqual(5 * LIMIT.max);
    // Five at once, then five a second: no token is left unused.
    expect(times.at(-1)! - times[0]!).toBeLessThanOrEqual(9_000);
    expect(times.at(-1)! - times[0]!).toBeGreaterThanOrEqual(6_500);
  });

  it('counts every attempt', async () => {
    await first.publish(TOPIC, 'fails', { messageGroup: 'a' });
    await subscribe({
      rateLimit: { max: 1, perMs: 10_000 },
      retry: { maxAttempts: 4, backoff: { fromMs: 1, jitter: 0 } },
      handler: () => {
        times.push(first.clock.monotonic());
        throw new Error('no');
      },
    });
    await first.advance(60_000);
    expect(times).toHaveLength(4);
    expect(mostWithin(9_900, times)).toBe(1);
  });

  it('holds up no shutdown', async () => {
    await first.publish(TOPIC, 'made', { messageGroup: 'a' });
    await subscribe({ rateLimit: { max: 1, perMs: 86_400_000 } });
    await publish();
    await first.advance(5_000);
    expect(times).toHaveLength(1);
  });
});

it('a rate limit that cannot be meant is refused, with every problem', async () => {
  const bed = await TestBed.open();
  const subscribing = bed.subscribe({
    topic: 'orders',
    group: 'billing',
    mode: 'broadcasting',
    rateLimit: { max: 0, perMS: 5 } as never,
  });
  await expect(subscribing).rejects.toThrow(InvalidOptionsError);
  await expect(subscribing).rejects.toMatchObject({
    problems: [
      expect.stringContaining('did you mean "perMs"'),
      expect.stringContaining('rateLimit.max must be'),
      expect.stringContaining('rateLimit.perMs must be'),
      expect.stringContaining('has no place with mode "broadcasting"'),
    ],
  });
  await bed.close();
});

it('a rate limit of a batch handler counts each message, in all processes together', async () => {
  const first = await TestBed.open({ settings: { topics: { queues: 2 } } });
  const beds = [first, await first.sibling()];
  const times: number[] = [];
  const sizes: number[] = [];
  for (const bed of beds) {
    bed.rivulet.subscribeBatch({
      topic: TOPIC,
      group: 'billing',
      origin: 'the test',
      rateLimit: LIMIT,
      batch: { size: 3, withinMs: 50 },
      handler: (deliveries) => {
        sizes.push(deliveries.length);
        for (const _ of deliveries) times.push(first.clock.monotonic());
      },
    });
    await bed.rivulet.consume();
  }
  await Promise.all(Array.from({ length: MESSAGES }, (_, n) => first.publish(TOPIC, n)));
  await first.advance(20_000);
  expect(times).toHaveLength(MESSAGES);
  expect(mostWithin(1_000, times)).toBeLessThanOrEqual(2 * LIMIT.max);
  expect(mostWithin(4_000, times)).toBeLessThanOrEqual(5 * LIMIT.max);
  expect(Math.max(...sizes)).toBe(3);
  for (const bed of beds) await bed.close();
});
