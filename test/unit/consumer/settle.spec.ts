import { describeError, type Outcome, tryingAgain } from '../../../lib/core/consumer/outcome.js';
import { retryPolicy, retryProblems } from '../../../lib/core/consumer/retry-policy.js';
import { HELD_MS, settle } from '../../../lib/core/consumer/settle.js';

const policy = { maxAttempts: 3, delayMs: (attempt: number) => attempt * 10 };
const error = new Error('no stock');

describe('settle', () => {
  it.each<[string, Outcome, number, ReturnType<typeof settle>]>([
    ['success is an ack', { kind: 'succeeded' }, 1, { kind: 'ack' }],
    ['what is skipped is acked', { kind: 'skipped' }, 9, { kind: 'ack' }],
    [
      'what was not started is given back at once',
      { kind: 'not-started' },
      9,
      { kind: 'release', delayMs: 0 },
    ],
    [
      'a failure is retried by the policy',
      { kind: 'failed', error },
      2,
      { kind: 'retry', delayMs: 20 },
    ],
    [
      'a failure of the last attempt is a dead letter',
      { kind: 'failed', error },
      3,
      { kind: 'dead-letter', reason: 'failed 3 times; last: Error: no stock' },
    ],
    [
      'retry later waits as long as was asked for',
      { kind: 'retry-later', delayMs: 7, error },
      1,
      { kind: 'retry', delayMs: 7 },
    ],
    [
      'retry later counts as an attempt',
      { kind: 'retry-later', delayMs: 7, error },
      3,
      { kind: 'dead-letter', reason: 'failed 3 times; last: Error: no stock' },
    ],
    [
      'a rejection is a dead letter at once',
      { kind: 'rejected', reason: 'no such customer', error },
      1,
      { kind: 'dead-letter', reason: 'no such customer' },
    ],
    [
      'a newer wire version is given back to wait, and no attempt counts, however often',
      { kind: 'held', version: 2 },
      1_000,
      { kind: 'release', delayMs: HELD_MS },
    ],
  ])('%s', (_, outcome, attempt, decision) => {
    expect(settle(outcome, attempt, policy)).toEqual(decision);
  });

  it('gives up what a lowered maximum has left behind', () => {
    expect(settle({ kind: 'failed', error }, 9, policy).kind).toBe('dead-letter');
  });
});

describe('retry policies', () => {
  it('follow RocketMQ by default: 10 s to 2 h in sixteen attempts', () => {
    const { maxAttempts, delayMs } = retryPolicy({});
    expect(maxAttempts).toBe(16);
    expect([1, 2, 3, 12, 15, 16, 99].map((attempt) => delayMs(attempt, error))).toEqual([
      10_000, 30_000, 60_000, 600_000, 3_600_000, 7_200_000, 7_200_000,
    ]);
  });

  it('grow up to a longest pause', () => {
    const { delayMs } = retryPolicy({ backoff: { fromMs: 100, toMs: 1_000, jitter: 0 } });
    expect([1, 2, 3, 4, 5, 2_000].map((attempt) => delayMs(attempt, error))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
  });

  it('shorten a pause by a random share, so that failures do not come back together', () => {
    const backoff = { fromMs: 1_000, jitter: 0.5 };
    expect(retryPolicy({ backoff }, () => 0).delayMs(1, error)).toBe(1_000);
    expect(retryPolicy({ backoff }, () => 0.5).delayMs(1, error)).toBe(750);
  });

  it('ask a function, and give it the attempt and the error', () => {
    const asked: unknown[] = [];
    const { delayMs } = retryPolicy({ backoff: (...args) => asked.push(args) * 7.4 });
    expect(delayMs(3, error)).toBe(7);
    expect(asked).toEqual([[3, error]]);
  });

  it.each<[string, () => unknown]>([
    ['throws', () => JSON.parse('{')],
    ['answers NaN', () => NaN],
    ['answers Infinity', () => Infinity],
    ['answers a negative number', () => -1],
    ['answers text', () => '5'],
    ['answers nothing', () => undefined],
    ['answers a promise', () => Promise.resolve(5)],
  ])('fall back to the default when the function %s', (_, backoff) => {
    const policy = retryPolicy({ backoff: backoff as () => number });
    expect(policy.delayMs(1, error)).toBe(10_000);
  });

  it('are refused with every problem at once', () => {
    const problems = retryProblems({
      maxAttempts: 0,
      retries: 1,
      backoff: { fromMs: -1, toMs: 1.5, factor: 0.5, jitter: 2, form: 1 },
    } as object);
    expect(problems).toHaveLength(7);
    expect(problems).toContain(
      'retry.backoff: unknown option "form" (known: fromMs, toMs, factor, jitter)',
    );
    expect(retryProblems(null as never)).toEqual(['retry must be an object, got: null']);
    expect(() => retryPolicy({ backoff: 'linear' as never })).toThrow(/must be "rocketmq"/);
  });
});

describe('describeError', () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const withGetter = Object.defineProperty(new Error('x'), 'message', {
    get() {
      throw new Error('from the getter');
    },
  });

  class NotFound extends Error {
    readonly response = { headers: { authorization: 'Bearer secret' } };
  }

  it.each<[string, unknown, string]>([
    ['an error', new TypeError('no  such\n thing'), 'TypeError: no such thing'],
    [
      'what an HTTP client throws, without what was answered',
      new NotFound('Not Found'),
      'Error: Not Found',
    ],
    ['text', 'plain', 'plain'],
    ['null', null, 'null'],
    ['undefined', undefined, 'undefined'],
    ['an object with a message', { message: 'm', secret: 1 }, 'm'],
    ['an object without', { code: 5 }, '{"code":5}'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a BigInt in an object', { n: 1n }, 'an error that cannot be described'],
    ['a message that throws', withGetter, 'an error that cannot be described'],
    ['a revoked proxy', revoked.proxy, 'an error that cannot be described'],
    ['an object without a prototype', Object.create(null), '{}'],
  ])('shows %s in one line', (_, thrown, text) => {
    expect(describeError(thrown)).toBe(text);
  });

  it('shows at most 500 characters', () => {
    expect(describeError(new Error('x'.repeat(10_000)))).toHaveLength(500);
  });

  it.each(['Redis is away', 'Redis is away.'])('ends a sentence once: %p', (message) => {
    expect(tryingAgain(new Error(message))).toBe('Error: Redis is away. Trying again.');
  });
});
