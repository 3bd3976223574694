import { TopicFullError } from '../../../lib/core/message/errors.js';
import type { RivuletEvents } from '../../../lib/core/runtime/events.js';
import type { TopicSettings } from '../../../lib/core/store/topic-registry.js';
import { TestBed, type TestSubscription } from '../../../lib/testing/test-bed.js';

/** What `whenFull` makes of sends that do not fit. */
describe('a topic with maxLength', () => {
  let bed: TestBed;
  const open = async (
    settings: Partial<TopicSettings>,
    subscription?: Partial<TestSubscription>,
  ): Promise<void> => {
    bed = await TestBed.open();
    await bed.stores.topics.declare('orders', { queues: 1, maxLength: 10, ...settings });
    if (subscription) await bed.subscribe({ topic: 'orders', group: 'billing', ...subscription });
  };
  afterEach(() => bed.close());
  const send = (from: number, to: number, options: { timeoutMs?: number; dedupId?: string } = {}) =>
    Promise.allSettled(
      Array.from({ length: to - from }, (_, i) =>
        bed.publish('orders', from + i, { key: `${from + i}`, ...options }),
      ),
    );
  const stored = (outcomes: PromiseSettledResult<unknown>[]): number =>
    outcomes.filter(({ status }) => status === 'fulfilled').length;
  const bodies = async (): Promise<unknown[]> => (await bed.sent('orders')).map(({ body }) => body);
  const numbers = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, i) => from + i);

  it('rejects what does not fit, and stores what does, in order', async () => {
    await open({});
    const outcomes = await send(0, 25);
    expect(stored(outcomes)).toBe(10);
    expect(outcomes.at(-1)).toMatchObject({ reason: { code: 'TOPIC_FULL' } });
    expect(await bodies()).toEqual(numbers(0, 10));
    expect(stored(await send(25, 600))).toBe(0);
  });

  it('answers a duplicate although it is full', async () => {
    await open({});
    await send(0, 1, { dedupId: 'd' });
    await send(1, 10);
    const outcomes = await Promise.allSettled([
      bed.publish('orders', 'x', { dedupId: 'e' }),
      bed.publish('orders', 'again', { dedupId: 'd' }),
      bed.publish('orders', 'y'),
    ]);
    expect(outcomes).toMatchObject([
      { reason: { code: 'TOPIC_FULL' } },
      { value: { duplicate: true } },
      { reason: { code: 'TOPIC_FULL' } },
    ]);
  });

  it('is not full of messages that every group has settled, however young they are', async () => {
    await open({}, {});
    for (let i = 0; i < 50; i += 10) {
      const outcomes = send(i, i + 10);
      await bed.advance(100);
      expect(stored(await outcomes)).toBe(10);
    }
  });

  it('waits for room when it is told to, in order, and then fails in time', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    await open({ whenFull: 'wait' }, { handler: () => released, concurrency: 100 });
    const first = send(0, 10);
    const waiting = send(10, 15, { timeoutMs: 60_000 });
    const impatient = send(15, 17, { timeoutMs: 1_000 });
    await bed.advance(2_000);
    await first;
    expect((await impatient).map((outcome) => outcome.status)).toEqual(['rejected', 'rejected']);
    expect((await impatient)[0]).toMatchObject({ reason: expect.any(TopicFullError) });
    release();
    await bed.advance(2_000);
    expect(stored(await waiting)).toBe(5);
    expect((await bodies()).slice(-5)).toEqual(numbers(10, 15));
  });

  it('waits with what does not fit only, when it is told to', async () => {
    await open({ whenFull: 'wait' }, { handler: () => new Promise(() => {}), concurrency: 100 });
    await send(0, 7);
    const outcomes = send(7, 12, { timeoutMs: 1_000 });
    await bed.advance(1);
    expect(await bodies()).toEqual(numbers(0, 10));
    await bed.advance(1_500);
    expect(stored(await outcomes)).toBe(3);
  });

  it('drops the oldest when it is told to, and says so', async () => {
    await open(
      { whenFull: 'drop-oldest' },
      { concurrency: 1, handler: () => new Promise(() => {}) },
    );
    const dropped: RivuletEvents['made-room'][] = [];
    bed.rivulet.events.on('made-room', (facts) => void dropped.push(facts));
    const outcomes = send(0, 35);
    await bed.advance(1_000);
    expect(stored(await outcomes)).toBe(35);
    expect(await bodies()).toEqual(numbers(25, 35));
    const letters = await bed.deadLetters('orders', 'billing');
    expect(letters.map(({ message }) => Number(message?.key))).toEqual(numbers(0, 25));
    expect(letters[0]).toMatchObject({ reason: expect.stringContaining('its topic was full') });
    expect(dropped.reduce((sum, facts) => sum + facts.deadLetters, 0)).toBe(25);
  });
});
