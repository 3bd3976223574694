import { tags } from 'nestjs-rivulet';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';

describe('a broadcast', () => {
  let beds: TestBed[];
  let seen: Map<TestBed, unknown[]>;

  beforeEach(async () => {
    beds = [await TestBed.open({ settings: { topics: { queues: 2, retentionMs: 10_000 } } })];
    beds.push(await beds[0]!.sibling());
    seen = new Map(beds.map((bed) => [bed, []]));
  });
  afterEach(async () => {
    for (const bed of beds) await bed.close();
  });

  const subscribe = (bed: TestBed, options: Partial<TestSubscription> = {}): Promise<void> =>
    bed.subscribe({
      topic: 'prices',
      group: 'cache',
      mode: 'broadcasting',
      handler: ({ body }) => seen.get(bed)!.push(body),
      ...options,
    });
  const bodies = (): unknown[][] => [...seen.values()].map((each) => each.toSorted());

  it('reaches every process that listens, once, from when it began', async () => {
    const [one, other] = beds as [TestBed, TestBed];
    await one.publish('prices', 'before');
    await subscribe(one);
    await one.publish('prices', 'a');
    await subscribe(other);
    await one.publish('prices', 'b');
    await one.publish('prices', 'c');
    await one.advance(100);
    expect(bodies()).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c'],
    ]);
  });

  it('begins where it is told to', async () => {
    const [one, other] = beds as [TestBed, TestBed];
    await one.publish('prices', 'old');
    await one.advance(5_000);
    await one.publish('prices', 'new');
    await subscribe(one, { from: 'earliest' });
    await subscribe(other, { from: new Date(one.clock.now() - 1_000) });
    await one.advance(100);
    expect(bodies()).toEqual([['new', 'old'], ['new']]);
  });

  it('begins when the group is made known, also when reading starts later', async () => {
    const [one] = beds as [TestBed, TestBed];
    one.rivulet.subscribe({
      topic: 'prices',
      group: 'cache',
      mode: 'broadcasting',
      origin: 'test',
      handler: ({ body }) => seen.get(one)!.push(body),
    });
    await one.rivulet.joinGroups();
    await one.publish('prices', 'between');
    await one.rivulet.consume();
    await one.advance(100);
    expect(bodies()).toEqual([['between'], []]);
  });

  it('drops what a handler does not handle, with an event and without another attempt', async () => {
    const [one] = beds as [TestBed, TestBed];
    const dropped: unknown[] = [];
    one.rivulet.events.on('dropped', ({ reason, attempt }) => dropped.push({ reason, attempt }));
    let attempts = 0;
    await subscribe(one, {
      handler: () => {
        attempts += 1;
        throw new Error('no');
      },
    });
    await one.publish('prices', 'a');
    await one.advance(60_000);
    expect(attempts).toBe(1);
    expect(dropped).toEqual([{ reason: 'failed: Error: no', attempt: 1 }]);
    expect(await one.deadLetters('prices', 'cache')).toEqual([]);
  });

  it('drops what takes too long, and what cannot be read', async () => {
    const [one] = beds as [TestBed, TestBed];
    const reasons: string[] = [];
    one.rivulet.events.on('dropped', ({ reason }) => reasons.push(reason));
    const signals: AbortSignal[] = [];
    await subscribe(one, {
      handlerTimeoutMs: 1_000,
      concurrency: 1,
      handler: ({ body, signal }) => {
        signals.push(signal);
        return body === 'slow' ? new Promise(() => {}) : undefined;
      },
    });
    await one.publish('prices', 'slow', { queue: 0 });
    await one.publish('prices', 'late', { queue: 0, ttlMs: 500 });
    await one.publish('prices', 'good', { queue: 0 });
    one.stores.tamper.addForeign({ topic: 'prices', queue: 0 }, [
      Buffer.from('a'),
      Buffer.from('b'),
    ]);
    await one.advance(2_000);
    expect(reasons).toEqual([
      'failed: HandlerTimeoutError: ' +
        "the test's handler of prices/cache did not finish within 1000 ms",
      'expired: its ttl of 500 ms has passed',
      'not a Rivulet message: another program wrote it, or it is damaged',
    ]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  it('goes through a filter', async () => {
    const [one] = beds as [TestBed, TestBed];
    await subscribe(one, { filter: tags('eu') });
    await one.publish('prices', 'a', { tag: 'eu' });
    await one.publish('prices', 'b', { tag: 'us' });
    await one.advance(100);
    expect(bodies()).toEqual([['a'], []]);
  });

  it('never runs more handlers at once than it may, and loses none for it', async () => {
    const [one] = beds as [TestBed, TestBed];
    const finish: (() => void)[] = [];
    let most = 0;
    await subscribe(one, {
      concurrency: 1,
      handler: ({ body }) => {
        seen.get(one)!.push(body);
        return new Promise<void>((resolve) => {
          most = Math.max(most, finish.push(resolve));
        });
      },
    });
    for (let i = 0; i < 20; i++) await one.publish('prices', i);
    for (let i = 0; i < 20; i++) {
      await one.advance(10);
      finish.shift()!();
    }
    expect(most).toBe(1);
    await one.advance(10);
    expect(seen.get(one)).toHaveLength(20);
  });

  it('misses nothing when the store is away for a while, and reads nothing twice', async () => {
    const [one, other] = beds as [TestBed, TestBed];
    await subscribe(one);
    await one.publish('prices', 'a');
    await one.advance(10);
    one.stores.goDown();
    await other.publish('prices', 'b');
    await one.advance(10_000);
    one.stores.comeUp();
    one.stores.loseReplies(1);
    await other.publish('prices', 'c');
    await one.advance(20_000);
    expect(bodies()[0]).toEqual(['a', 'b', 'c']);
  });

  it('keeps nothing from being trimmed', async () => {
    const [one] = beds as [TestBed, TestBed];
    await subscribe(one);
    await one.publish('prices', 'a');
    await one.advance(130_000);
    expect(await one.sent('prices')).toEqual([]);
  });

  it('reads a queue that was added once, however many looks find it', async () => {
    const [one] = beds as [TestBed, TestBed];
    const running = one.rivulet.subscribe({
      topic: 'prices',
      group: 'cache',
      mode: 'broadcasting',
      origin: 'test',
      handler: ({ body }) => seen.get(one)!.push(body),
    });
    await one.rivulet.consume();
    await one.stores.topics.alter('prices', { queues: 4 });
    await Promise.all([running.growTo('prices', 4), running.growTo('prices', 4)]);
    for (let queue = 0; queue < 4; queue++) await one.publish('prices', queue, { queue });
    await one.advance(10_000);
    expect(bodies()[0]).toEqual([0, 1, 2, 3]);
  });

  it('goes on with a topic that was made anew', async () => {
    const [one] = beds as [TestBed, TestBed];
    await subscribe(one);
    await one.stores.topics.remove('prices');
    await one.advance(120_000);
    await one.publish('prices', 'again');
    await one.advance(10);
    expect(bodies()[0]).toEqual(['again']);
    expect(await one.stores.topics.groups('prices')).toEqual([
      { group: 'cache', mode: 'broadcasting', filterDigest: '' },
    ]);
  });

  it('ends with its process, whatever still runs', async () => {
    const [one] = beds as [TestBed, TestBed];
    let signal: AbortSignal | undefined;
    await subscribe(one, {
      handler: (delivery) => {
        signal = delivery.signal;
        return new Promise(() => {});
      },
    });
    await one.publish('prices', 'a');
    await one.advance(10);
    await one.close();
    expect(signal!.aborted).toBe(true);
  });

  it('tells of what did not end in time when its process ends', async () => {
    const bed = await TestBed.open({ settings: { drainMs: 1_000 } });
    beds.push(bed);
    const told: string[] = [];
    bed.rivulet.events.on('dropped', ({ reason }) => void told.push(reason));
    await bed.subscribe({
      ...{ topic: 'prices', group: 'cache', mode: 'broadcasting', from: 'earliest' },
      handler: ({ signal }) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        ),
    });
    await bed.publish('prices', 'a');
    await bed.advance(10);
    const stopped = bed.rivulet.stop();
    await bed.advance(5_000);
    await stopped;
    expect(told).toEqual([expect.stringContaining('did not finish within the drain limit')]);
  });

  it('is another mode than sharing, in one group', async () => {
    const [one, other] = beds as [TestBed, TestBed];
    await subscribe(one);
    await expect(subscribe(other, { mode: 'clustering' })).rejects.toThrow(
      /registered as broadcasting without a filter, this handler is unordered/,
    );
  });

  it('may reach two handlers of one process', async () => {
    const [one] = beds as [TestBed, TestBed];
    await subscribe(one);
    await subscribe(one);
    await one.publish('prices', 'a');
    await one.advance(10);
    expect(bodies()[0]).toEqual(['a', 'a']);
  });

  it('is refused with retries, which it does not have', async () => {
    const [one] = beds as [TestBed, TestBed];
    await expect(subscribe(one, { retry: { maxAttempts: 3 } })).rejects.toThrow(
      /retry has no place with mode "broadcasting"/,
    );
    await expect(subscribe(one, { mode: 'all' as 'clustering' })).rejects.toThrow(
      /mode must be "clustering" or "broadcasting", got: "all"/,
    );
  });
});
