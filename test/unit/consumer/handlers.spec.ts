import { RejectMessageError, RetryLaterError } from '../../../lib/core/consumer/handler-errors.js';
import type { SubscriptionOptions } from '../../../lib/core/consumer/subscription.js';
import { defineTopic } from '../../../lib/core/message/topic.js';
import { Rivulet } from '../../../lib/core/rivulet.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { TestBed } from '../../../lib/testing/test-bed.js';

describe('what a handler does with a delivery', () => {
  let bed: TestBed;
  beforeEach(async () => {
    bed = await TestBed.open({ settings: { topics: { queues: 1 } } });
  });
  afterEach(() => bed.close());

  /** Handles one message and answers the decision: the first event that settles it. */
  async function outcomeOf(
    handler: SubscriptionOptions['handler'],
    options: Partial<SubscriptionOptions> = {},
  ): Promise<unknown> {
    const { events } = bed.rivulet;
    const first = Promise.race(
      (['acked', 'retried', 'dead-lettered'] as const).map(async (name) => ({
        name,
        ...(await events.next(name)),
      })),
    );
    await bed.subscribe({ topic: 'orders', group: 'billing', handler, ...options });
    await bed.publish('orders', 'a');
    await bed.advance(100);
    return first;
  }

  it.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    ['a value', () => 5],
    ['a promise', () => Promise.resolve()],
    ['a thenable', () => ({ then: (resolve: () => void) => resolve() })],
  ])('is acked when it returns %s', async (_, handler) => {
    expect(await outcomeOf(handler)).toMatchObject({ name: 'acked', attempt: 1 });
  });

  const kinds: Record<string, (work: () => void) => SubscriptionOptions['handler']> = {
    'a generator': (work) =>
      function* () {
        yield 1;
        work();
      },
    'an async generator': (work) =>
      async function* () {
        yield 1;
        work();
      },
    'a promise of a generator': (work) => async () =>
      (function* () {
        yield 1;
        work();
      })(),
  };

  it.each(Object.keys(kinds))('is run to its end when it is %s, and acked then', async (kind) => {
    let ends = 0;
    expect(await outcomeOf(kinds[kind]!(() => void (ends += 1)))).toMatchObject({ name: 'acked' });
    expect(ends).toBe(1);
  });

  it.each(Object.keys(kinds))('is tried again when it is %s that fails', async (kind) => {
    const handler = kinds[kind]!(() => {
      throw new Error('late');
    });
    expect(await outcomeOf(handler)).toMatchObject({ name: 'retried', attempt: 1 });
  });

  it.each(Object.keys(kinds))('answers with the values when it is %s', async (kind) => {
    let ends = 0;
    const handler = kinds[kind]!(() => void (ends += 1));
    await bed.subscribe({ topic: 'orders', group: 'billing', reply: true, handler });
    const asked = bed.rivulet.requester.request('orders', 'a');
    await bed.advance(100);
    expect([await asked, ends]).toEqual([1, 1]);
  });

  it.each<[string, unknown, string]>([
    ['undefined', undefined, 'Error: undefined was thrown instead of an error'],
    ['null', null, 'Error: null was thrown instead of an error'],
    ['a text', 'out of paper', 'out of paper'],
    ['an object', { code: 7 }, '{"code":7}'],
    ['an error without a message', new TypeError(), 'TypeError: without a message'],
    [
      'what Node says when no address answered',
      new AggregateError([new Error('connect ECONNREFUSED ::1'), new Error('connect ETIMEDOUT')]),
      'AggregateError: Error: connect ECONNREFUSED ::1; Error: connect ETIMEDOUT',
    ],
  ])('is told with what it threw: %s', async (_, thrown, said) => {
    const handler = (): never => {
      throw thrown;
    };
    const outcome = await outcomeOf(handler, { retry: { maxAttempts: 1 } });
    expect(outcome).toMatchObject({
      name: 'dead-lettered',
      reason: `failed once; last: ${said}`,
      error: said,
    });
  });

  it.each<[string, unknown, object]>([
    ['an error of its own', new TypeError('secret body'), { name: 'dead-lettered', attempt: 1 }],
    ['RetryLaterError', new RetryLaterError(5_000), { name: 'retried', delayMs: 5_000 }],
  ])('is decided by its codec when that throws %s', async (_, thrown, expected) => {
    const codec = {
      name: 'locked',
      encode: () => 'x',
      decode: () => {
        throw thrown;
      },
    };
    await bed.close();
    bed = await TestBed.open({ settings: { topics: { queues: 1 }, codec } });
    const outcome = await outcomeOf(() => undefined);
    expect(outcome).toMatchObject(expected);
    expect(JSON.stringify(outcome)).not.toContain('secret');
  });

  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  it.each<[string, unknown]>([
    ['an error', new Error('x')],
    ['text', 'x'],
    ['null', null],
    ['undefined', undefined],
    ['a frozen error', Object.freeze(new Error('x'))],
    ['an object without a prototype', Object.create(null)],
    ['a revoked proxy', revoked.proxy],
    [
      'an error whose message throws',
      Object.defineProperty(new Error(), 'message', {
        get() {
          throw new Error('y');
        },
      }),
    ],
  ])('is retried when it throws %s', async (_, thrown) => {
    const outcome = outcomeOf(() => {
      throw thrown;
    });
    expect(await outcome).toMatchObject({ name: 'retried', delayMs: 10_000 });
  });

  it('is retried when the promise rejects', async () => {
    expect(await outcomeOf(() => Promise.reject(new Error('x')))).toMatchObject({
      name: 'retried',
      error: 'Error: x',
    });
  });

  it('is retried exactly then when it asks for it', async () => {
    const outcome = outcomeOf(() => {
      throw new RetryLaterError(1_234, 'the bank is closed');
    });
    expect(await outcome).toMatchObject({ name: 'retried', delayMs: 1_234 });
    await bed.nextDelivery('billing');
    await bed.advance(1_400);
    expect(await bed.nextDelivery('billing')).toMatchObject({ attempt: 2 });
  });

  it.each([[-1], [NaN], [Infinity], ['soon']])('cannot ask to be retried in %p ms', (delayMs) => {
    const make = (): unknown => new RetryLaterError(delayMs as number);
    expect(make).toThrow(/^RetryLaterError: delayMs must be a number of at least 0, got: /);
  });

  it('hears what its text would be in milliseconds', () => {
    const make = (): unknown => new RetryLaterError('5m' as never);
    expect(make).toThrow('got: "5m", which is 300000 in milliseconds');
  });

  it('is a dead letter at once when it rejects the message', async () => {
    const outcome = outcomeOf(() => {
      throw new RejectMessageError('no such customer');
    });
    expect(await outcome).toMatchObject({ name: 'dead-lettered', reason: 'no such customer' });
  });

  it('is a dead letter with a reason that is one line of at most 1 000 characters, whoever gives it', async () => {
    const why = `no\n such ${'customer '.repeat(10_000)}`;
    for (const options of [{}, { rejection: () => why }]) {
      const outcome = outcomeOf(
        () => {
          throw 'rejection' in options ? new TypeError('not valid') : new RejectMessageError(why);
        },
        { ...options, group: Object.keys(options).join() || 'billing' },
      );
      const { reason } = (await outcome) as { reason: string };
      expect(reason).toMatch(/^no such customer [^\n]*…$/);
      expect(reason).toHaveLength(1_000);
    }
  });

  it('is a dead letter at once when its subscription says so', async () => {
    const outcome = outcomeOf(
      () => {
        throw new TypeError('not valid');
      },
      { rejection: (error) => (error instanceof TypeError ? 'validation failed' : undefined) },
    );
    expect(await outcome).toMatchObject({ name: 'dead-lettered', reason: 'validation failed' });
  });

  it('is retried when the subscription cannot even say that', async () => {
    const outcome = outcomeOf(
      () => {
        throw new TypeError('not valid');
      },
      {
        rejection: () => {
          throw new Error('a broken rule');
        },
      },
    );
    expect(await outcome).toMatchObject({ name: 'retried', error: 'Error: a broken rule' });
  });

  it('is never called with a body that does not match the schema', async () => {
    let called = false;
    const { schema } = defineTopic('orders', {
      schema: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: () => ({ issues: [{ message: 'must be a number', path: ['id'] }] }),
        },
      },
    }).options;
    const outcome = await outcomeOf(() => (called = true), { schema: schema! });
    expect(outcome).toMatchObject({
      name: 'dead-lettered',
      reason: expect.stringContaining('id: must be a number'),
    });
    expect(called).toBe(false);
  });

  it('fails when it takes too long; it is told, and what it does later counts for nothing', async () => {
    let signal: AbortSignal | undefined;
    let finish = (): void => {};
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handlerTimeoutMs: 1_000,
      handler: (delivery) => {
        signal = delivery.signal;
        return new Promise<void>((resolve) => (finish = resolve));
      },
    });
    const retried = bed.rivulet.events.next('retried');
    await bed.publish('orders', 'a');
    await bed.advance(1_100);
    expect(await retried).toMatchObject({ attempt: 1 });
    expect(signal?.aborted).toBe(true);
    const acked: unknown[] = [];
    bed.rivulet.events.on('acked', (facts) => acked.push(facts));
    finish();
    await bed.advance(100);
    expect(acked).toEqual([]);
  });

  it('frees its slot when it takes too long', async () => {
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handlerTimeoutMs: 1_000,
      concurrency: 1,
      handler: ({ body }) => (body === 'stuck' ? new Promise(() => {}) : undefined),
    });
    await bed.publish('orders', 'stuck');
    const { messageId } = await bed.publish('orders', 'next');
    await bed.advance(1_500);
    expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
  });

  it('frees its slot once when it takes too long, also when it ends after all', async () => {
    const ends: (() => void)[] = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      handlerTimeoutMs: 1_000,
      retry: { maxAttempts: 1 },
      concurrency: 1,
      handler: () => new Promise<void>((resolve) => ends.push(resolve)),
    });
    await bed.publish('orders', 'late');
    await bed.advance(1_100);
    ends.pop()!();
    await bed.advance(1);
    await bed.publish('orders', 'next');
    await bed.publish('orders', 'after it');
    await bed.advance(500);
    expect(ends).toHaveLength(1);
  });

  it('sees at most as many at once as its concurrency allows', async () => {
    let running = 0;
    let most = 0;
    const ends: (() => void)[] = [];
    await bed.subscribe({
      topic: 'orders',
      group: 'billing',
      concurrency: 3,
      handler: async () => {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => ends.push(resolve));
        running -= 1;
      },
    });
    await Promise.all(Array.from({ length: 10 }, (_, i) => bed.publish('orders', i)));
    for (let i = 0; i < 20; i++) {
      await bed.advance(10);
      ends.shift()?.();
    }
    await bed.advance(100);
    expect([most, running]).toEqual([3, 0]);
  });

  it('does not get a message whose time has passed', async () => {
    await bed.publish('orders', 'old', { ttlMs: 1_000 });
    await bed.advance(1_500);
    const lettered = bed.rivulet.events.next('dead-lettered');
    await bed.subscribe({ topic: 'orders', group: 'billing' });
    await bed.advance(100);
    expect((await lettered).reason).toMatch(/ttl of 1000 ms has passed/);
  });
});

describe('a subscription', () => {
  const rivulet = (): Rivulet => {
    const clock = new ManualClock();
    return new Rivulet({ stores: new MemoryStores({ clock }), clock });
  };
  const fine = { topic: 'orders', group: 'billing', origin: 'Billing.charge', handler: () => {} };

  it('is refused with every problem, and names the handler', () => {
    const subscribe = (): unknown =>
      rivulet().subscribe({
        ...fine,
        topic: 'a b',
        group: '',
        concurrency: 0,
        handlerTimeoutMs: 0.5,
        from: 'yesterday' as never,
        retry: { maxAttempts: 0 },
      });
    expect(subscribe).toThrow(
      /^Billing.charge: topic .*; group .*; concurrency .*; handlerTimeoutMs .*; from .*; retry.maxAttempts /,
    );
  });

  it('is refused when another has the same topic and group, and both are named', () => {
    const one = rivulet();
    one.subscribe(fine);
    expect(() => one.subscribe({ ...fine, origin: 'Mail.send' })).toThrow(
      /Billing.charge and Mail.send/,
    );
    one.subscribe({ ...fine, group: 'other' });
    rivulet().subscribe(fine);
  });
});
