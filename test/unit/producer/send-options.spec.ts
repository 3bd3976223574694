import { InvalidInputError } from '../../../lib/core/message/errors.js';
import type { SendOptions } from '../../../lib/core/message/message.js';
import { checkSendOptions } from '../../../lib/core/producer/send-options.js';

const NOW = Date.UTC(2026, 0, 1);
const YEARS_MS = 365 * 86_400_000;

function problemsOf(options: unknown): readonly string[] {
  try {
    checkSendOptions('orders', options as SendOptions, { now: () => NOW });
    return [];
  } catch (error) {
    if (error instanceof InvalidInputError) return error.problems;
    throw error;
  }
}

describe('send options', () => {
  it('may all be left out, or undefined', () => {
    expect(problemsOf({})).toEqual([]);
    const open: Record<keyof SendOptions, undefined> = {
      tag: undefined,
      key: undefined,
      messageGroup: undefined,
      queue: undefined,
      queueSelector: undefined,
      delayMs: undefined,
      deliverAt: undefined,
      ttlMs: undefined,
      dedupId: undefined,
      properties: undefined,
      traceparent: undefined,
      tracestate: undefined,
      baggage: undefined,
      timeoutMs: undefined,
      transaction: undefined,
      mandatory: undefined,
      alternateTopic: undefined,
      receipt: undefined,
      acks: undefined,
    };
    expect(problemsOf(open)).toEqual([]);
  });

  it('may be all that fit together', () => {
    expect(
      problemsOf({
        tag: 'created',
        key: 'k',
        messageGroup: 'g',
        deliverAt: new Date(NOW + 1),
        ttlMs: 1,
        dedupId: 'd',
        properties: { amount: 1, region: 'eu', express: false },
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'vendor=x',
        baggage: 'tenant=c',
        timeoutMs: 1,
      }),
    ).toEqual([]);
  });

  it('are refused with every problem at once', () => {
    expect(
      problemsOf({
        tags: 'x',
        tag: 'a|b',
        key: '',
        queue: -1,
        messageGroup: 'g',
        delayMs: -5,
        ttlMs: 0,
        properties: { '9': {} },
        traceparent: 'x',
        baggage: 'a\nb',
        timeoutMs: 0,
      }),
    ).toHaveLength(12);
    expect(problemsOf({ tracestate: 'vendor=x' })).toEqual([
      'tracestate says nothing without a traceparent; give both',
    ]);
  });

  it('name the one that was probably meant', () => {
    expect(problemsOf({ delay: 5 })).toEqual(['unknown option "delay", did you mean "delayMs"?']);
    expect(problemsOf({ shardKey: 5 })[0]).toMatch(/^unknown option "shardKey" \(known: tag, key/);
  });

  it.each<[unknown]>([[null], ['tag'], [5], [['a']], [() => 1]])(
    'must be an object, not %p',
    (options) => {
      expect(problemsOf(options)).toEqual([expect.stringContaining('options must be an object')]);
    },
  );

  it.each<[string, unknown]>([
    ['negative', -1],
    ['NaN', NaN],
    ['infinite', Infinity],
    ['text', '5'],
    ['a fraction', 0.5],
    ['more than a hundred years', 101 * YEARS_MS],
    ['null', null],
  ])('refuse a delay that is %s', (_, delayMs) => {
    expect(problemsOf({ delayMs })).toEqual([
      expect.stringContaining('delayMs must be an integer'),
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    ['has passed', new Date(NOW - 1), /must not have passed, got: 2025-12-31T23:59:59.999Z/],
    ['is invalid', new Date(NaN), /must be a valid Date, got: an invalid Date/],
    ['is a number', NOW + 1, /must be a valid Date/],
    ['is null', null, /must be a valid Date/],
    ['is far away', new Date(NOW + 101 * YEARS_MS), /within 100 years/],
  ])('refuse a time that %s', (_, deliverAt, problem) => {
    expect(problemsOf({ deliverAt })).toEqual([expect.stringMatching(problem)]);
  });

  it.each<[unknown, RegExp]>([
    ['all', /acks must be "memory", "disk" or { replicas, timeoutMs }, got: "all"/],
    [null, /acks must be/],
    [{}, /acks.replicas must be an integer from 1/],
    [{ replicas: 0 }, /acks.replicas must be an integer from 1/],
    [{ replicas: 1, timeoutMs: 0 }, /acks.timeoutMs must be an integer from 1/],
    [{ replicas: 1, timeout: 5 }, /acks: unknown option "timeout", did you mean "timeoutMs"/],
  ])('refuse acks that are %p', (acks, problem) => {
    expect(problemsOf({ acks })).toEqual([expect.stringMatching(problem)]);
  });

  it.each<[object, RegExp]>([
    [{ delayMs: 1, deliverAt: new Date(NOW + 1) }, /delayMs and deliverAt contradict/],
    [{ queue: 1, messageGroup: 'g' }, /messageGroup and queue contradict/],
    [{ queue: 1, queueSelector: () => 1 }, /queue and queueSelector contradict/],
    [
      { queue: 1, queueSelector: () => 1, messageGroup: 'g' },
      /messageGroup and queue and queueSelector/,
    ],
    [{ queueSelector: 'first' }, /queueSelector must be a function/],
  ])('refuse what contradicts itself: %p', (options, problem) => {
    expect(problemsOf(options)).toEqual([expect.stringMatching(problem)]);
  });

  it.each<[string, unknown]>([
    ['an array', ['a']],
    ['null', null],
    ['text', 'a=1'],
    ['with an object in it', { a: {} }],
    ['with NaN in it', { a: NaN }],
    ['with null in it', { a: null }],
    ['with a BigInt in it', { a: 1n }],
    ['named __proto__', JSON.parse('{"__proto__":1}')],
    ['with a space in its name', { 'a b': 1 }],
  ])('refuse properties that are %s', (_, properties) => {
    expect(problemsOf({ properties })).toHaveLength(1);
  });

  it('leave out properties that are undefined', () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`${i}`, undefined]));
    expect(problemsOf({ properties: { region: undefined, amount: 1, ...many } })).toEqual([]);
  });

  it('refuse more than a hundred properties without listing them all', () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`${i}`, NaN]));
    const problems = problemsOf({ properties: many });
    expect(problems[0]).toMatch(/must be 100 at most, got: 5000/);
    expect(problems.length).toBeLessThan(10);
  });
});
