import { InvalidInputError } from '../../../lib/core/message/errors.js';
import {
  describeValue,
  integerProblem,
  unknownOptions,
} from '../../../lib/core/message/options.js';
import { defineTopic } from '../../../lib/core/message/topic.js';

describe('problems with options', () => {
  it('name the nearest known option', () => {
    const known = ['concurrency', 'group', 'handlerTimeoutMs'];
    expect(unknownOptions({ concurency: 1, consumerGrup: 1, GROUP: 1, group: 1 }, known)).toEqual([
      'unknown option "concurency", did you mean "concurrency"?',
      'unknown option "consumerGrup" (known: concurrency, group, handlerTimeoutMs)',
      'unknown option "GROUP", did you mean "group"?',
    ]);
  });

  it('name none that has nothing of what was given', () => {
    expect(unknownOptions({ tx: 1 }, ['tag', 'timezone'])).toEqual([
      'unknown option "tx" (known: tag, timezone)',
    ]);
  });

  it('name the one that goes on as what was given, among those that are as near', () => {
    expect(unknownOptions({ ttl: 1 }, ['tag', 'ttlMs'])).toEqual([
      'unknown option "ttl", did you mean "ttlMs"?',
    ]);
  });

  it('name what other systems call by another word, where it can be meant', () => {
    const known = ['cron', 'dedupId', 'messageGroup', 'timezone', 'ttlMs'];
    const foreign = { jobId: 1, orderingKey: 1, expiration: 1, tz: 1, pattern: 1, prefetch: 1 };
    expect(unknownOptions({ ...foreign, toString: 1 }, known)).toEqual([
      'unknown option "jobId", did you mean "dedupId"?',
      'unknown option "orderingKey", did you mean "messageGroup"?',
      'unknown option "expiration", did you mean "ttlMs"?',
      'unknown option "tz", did you mean "timezone"?',
      'unknown option "pattern", did you mean "cron"?',
      'unknown option "prefetch"',
      `unknown option "toString" (known: ${known.join(', ')})`,
    ]);
  });

  it('name the connection for the addresses that the transports of Nest take', () => {
    const addresses = { host: 1, port: 1, url: 1, urls: 1, servers: 1, brokers: 1 };
    expect(unknownOptions(addresses, ['connection', 'group'])).toEqual(
      Object.keys(addresses).map((name) => `unknown option "${name}", did you mean "connection"?`),
    );
  });

  it('name the known option that is the same word in another form', () => {
    expect(unknownOptions({ retries: 5, re: 1 }, ['group', 'retry'])).toEqual([
      'unknown option "retries", did you mean "retry"?',
      'unknown option "re" (known: group, retry)',
    ]);
  });

  it.each<[unknown]>([
    [-1],
    [101],
    [1.5],
    [NaN],
    [Infinity],
    ['5'],
    [null],
    [5n],
    [new Number(5)],
    [2 ** 53],
  ])('name what is no integer in a range: %p', (value) => {
    expect(integerProblem('count', value, { min: 0, max: 100 })).toMatch(
      /^count must be an integer from 0 to 100, got: /,
    );
  });

  it('say what is missing, and what a time in words is in milliseconds', () => {
    const of = (value: unknown): unknown => integerProblem('timeoutMs', value, { min: 1 });
    expect(of(undefined)).toBe('timeoutMs must be an integer of at least 1, and is missing');
    expect(['90s', '1.5 h', '250ms', '2d'].map(of)).toEqual(
      [90_000, 5_400_000, 250, 172_800_000].map((ms) =>
        expect.stringMatching(new RegExp(`got: ".*", which is ${ms} in milliseconds$`)),
      ),
    );
    expect(of('5')).toBe('timeoutMs must be an integer of at least 1, got: "5"');
    expect(of(Object.create(null))).toBe(
      'timeoutMs must be an integer of at least 1, got: an object',
    );
    expect(integerProblem('size', '5m', { min: 1 })).toMatch(/got: "5m"$/);
  });

  it('say of what is no object that it is none, and of a text no more than that', () => {
    expect(unknownOptions(null, ['a'])).toEqual(['options must be an object, got: null']);
    expect(unknownOptions(['a'], ['a'])).toEqual(['options must be an object, got: an array']);
    expect(unknownOptions('redis://:secret@host', ['a'])).toEqual([
      'options must be an object, got: a text',
    ]);
  });

  it('show a value shortened, and never the content of an object', () => {
    const values = ['x'.repeat(1_000), { password: 'x' }, ['secret'], new Date(0), () => 1, 5n];
    expect(values.map(describeValue)).toEqual([
      `"${'x'.repeat(57)}..."`,
      'an object',
      'an array',
      'a Date',
      'a function',
      '5n',
    ]);
  });
});

describe('defineTopic', () => {
  it('refuses everything that cannot be meant, at once, before anything uses it', () => {
    const define = (): unknown =>
      defineTopic('a b', {
        queues: 0,
        retentionMs: -1,
        maxLength: 0,
        dedupWindowMs: 10,
        queue: 1,
      } as object);
    expect(define).toThrow(InvalidInputError);
    expect(define).toThrow(
      expect.objectContaining({
        problems: [
          expect.stringContaining('topic must be'),
          'unknown option "queue", did you mean "queues"?',
          expect.stringContaining('queues must be an integer from 1 to 1024'),
          expect.stringContaining('retentionMs'),
          expect.stringContaining('maxLength'),
          expect.stringContaining('dedupWindowMs must be an integer of at least 1000'),
        ],
      }) as Error,
    );
  });

  it('refuses a schema that is none, and options that are none', () => {
    const define = (options: unknown) => () => defineTopic('orders', options as object);
    expect(define({ schema: { parse() {} } })).toThrow(
      'schema must follow Standard Schema, as those of Zod 3.24, Valibot 1 and ArkType 2 do',
    );
    expect(define(null)).toThrow('options must be an object, got: null');
  });

  it('cannot be changed afterwards', () => {
    const options = { queues: 2 };
    const orders = defineTopic('orders', options);
    options.queues = 9;
    expect(orders.options.queues).toBe(2);
    expect(Object.isFrozen(orders) && Object.isFrozen(orders.options)).toBe(true);
  });
});
