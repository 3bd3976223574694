import { Redis } from 'ioredis';
import { RetryLaterError } from '../../lib/core/consumer/handler-errors.js';
import type { SendOptions } from '../../lib/core/message/message.js';
import type { TopicName } from '../../lib/core/message/topic.js';
import type { Rivulet } from '../../lib/core/rivulet.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { connect, Handled, publishMany, within } from '../helpers/workload.js';

let redis: TestRedis;
let operator: Redis;
beforeAll(async () => {
  redis = await startRedis();
  operator = new Redis(redis.url);
});
afterAll(async () => {
  operator.disconnect();
  await redis.stop();
});

function nested(levels: number): unknown {
  let body: unknown = 'deepest';
  for (let i = 0; i < levels; i++) body = i % 2 ? [body] : { in: body };
  return body;
}
const cyclic: Record<string, unknown> = {};
cyclic['self'] = { back: cyclic };

/** Bodies that must arrive as they are. */
const GOOD: [string, unknown, unknown?][] = [
  ['null', null],
  ['false', false],
  ['zero', 0],
  ['empty text', ''],
  ['empty array', []],
  ['empty object', {}],
  ['text with every kind of character', '\u0000\r\n"\\😀\u2028{}*?[]\ud800'],
  ['own __proto__', JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{}}}')],
  ['a Date', new Date(0), '1970-01-01T00:00:00.000Z'],
  ['undefined in a field', { a: undefined, b: 1 }, { b: 1 }],
  ['every byte', Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256))],
  ['no byte', Buffer.alloc(0)],
  ['an ArrayBuffer', new Uint8Array([1, 2, 255]).buffer, Buffer.from([1, 2, 255])],
  ['a part of a larger array', new Uint8Array([9, 1, 2, 9]).subarray(1, 3), Buffer.from([1, 2])],
  ['a megabyte less the quotes', 'x'.repeat(1024 * 1024 - 2)],
  ['99 levels', nested(99)],
  ['50 000 fields', Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`f${i}`, i]))],
  ['a number beyond 2^53', 2 ** 60],
];

/** Bodies that must be refused, with the code of the refusal. */
const BAD: [string, unknown, string][] = [
  ['undefined', undefined, 'CODEC'],
  ['BigInt', 1n, 'CODEC'],
  ['BigInt deep inside', { a: [{ b: 1n }] }, 'CODEC'],
  ['a function', () => 1, 'CODEC'],
  ['a symbol', Symbol('x'), 'CODEC'],
  ['NaN', { a: NaN }, 'CODEC'],
  ['a Map', new Map(), 'CODEC'],
  ['a Promise', Promise.resolve(1), 'CODEC'],
  ['a cycle', cyclic, 'CODEC'],
  ['20 000 levels', nested(20_000), 'CODEC'],
  ['a Buffer inside', { raw: Buffer.from('x') }, 'CODEC'],
  ['5 MB of text', 'x'.repeat(5 * 1024 * 1024), 'INVALID_INPUT'],
  ['5 MB of bytes', Buffer.alloc(5 * 1024 * 1024), 'INVALID_INPUT'],
  ['a megabyte and one', 'x'.repeat(1024 * 1024 - 1), 'INVALID_INPUT'],
];

const BAD_OPTIONS: [string, unknown][] = [
  ['delay -1', { delayMs: -1 }],
  ['delay NaN', { delayMs: NaN }],
  ['delay Infinity', { delayMs: Infinity }],
  ['delay 1e300', { delayMs: 1e300 }],
  ['delay as text', { delayMs: '5' }],
  ['a time that has passed', { deliverAt: new Date(0) }],
  ['an invalid time', { deliverAt: new Date('x') }],
  ['tag with |', { tag: 'a|b' }],
  ['key with a line break', { key: 'a\nb' }],
  ['half a character', { messageGroup: '\ud800' }],
  ['an empty group', { messageGroup: '' }],
  ['a long dedup id', { dedupId: 'x'.repeat(256) }],
  ['queue 99', { queue: 99 }],
  ['properties that are nested', { properties: { a: {} } }],
  ['properties named __proto__', { properties: JSON.parse('{"__proto__":1}') as object }],
  ['properties of 20 KB', { properties: { a: 'x'.repeat(20_000) } }],
  ['a misspelt option', { dealyMs: 5 }],
  ['null', null],
  ['text', 'tag'],
];

const BAD_TOPICS: unknown[] = [
  '',
  'a b',
  'a:b',
  '{a}',
  'a*',
  '__proto__',
  'x'.repeat(128),
  null,
  5,
];

describe('bad input', () => {
  let rivulet: Rivulet;
  let namespaces = 0;
  let namespace: string;
  beforeEach(async () => {
    namespace = `bad${++namespaces}`;
    rivulet = connect(redis.url, namespace);
    await rivulet.open();
  });
  afterEach(() => rivulet.stop(2_000));

  it('is refused where it is given, stores nothing, and what is sent beside it arrives as it was', async () => {
    await rivulet.producer.send('orders', 'known');
    const keysBefore = (await operator.keys('*')).sort();
    const refused = [
      ...BAD.map(([what, body, code]) => ({ what, code, send: () => send('orders', body, {}) })),
      ...BAD_OPTIONS.map(([what, options]) => ({
        what,
        code: 'INVALID_INPUT',
        send: () => send('orders', 'x', options as SendOptions),
      })),
      ...BAD_TOPICS.map((topic) => ({
        what: `topic ${String(topic).slice(0, 10)}`,
        code: 'INVALID_INPUT',
        send: () => send(topic as TopicName, 'x', {}),
      })),
    ];
    const answers = await Promise.allSettled(refused.map((one) => one.send()));
    const surprises = refused.flatMap(({ what, code }, i) => {
      const answer = answers[i]!;
      const got =
        answer.status === 'fulfilled' ? 'stored' : (answer.reason as { code?: string }).code;
      return got === code ? [] : [{ what, wanted: code, got }];
    });
    expect(surprises).toEqual([]);
    expect((await operator.keys('*')).sort()).toEqual(keysBefore);
    const lengths = await Promise.all(
      [0, 1, 2, 3].map((queue) => rivulet.stores.log.extent({ topic: 'orders', queue })),
    );
    expect(lengths.reduce((sum, { length }) => sum + length, 0)).toBe(1);

    const bodies = new Map<string, unknown>();
    const handled = new Handled();
    rivulet.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      handler: (delivery) => {
        bodies.set(delivery.message.key ?? '', delivery.body);
        handled.note(delivery);
      },
    });
    await rivulet.consume();
    for (const [key, body] of GOOD) await rivulet.producer.send('orders', body, { key });
    await within(60_000, 'the good ones', handled.all(GOOD.map(([key]) => key)));
    for (const [key, body, arrives = body] of GOOD)
      expect([key, bodies.get(key)]).toEqual([key, arrives]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    console.log(
      `bad-input refused=${refused.length} stored-of-those=${answers.filter(({ status }) => status === 'fulfilled').length} good=${GOOD.length} arrived=${bodies.size - 1}`,
    );
  });

  it('of a handler stops no other message', async () => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const thrown: unknown[] = [
      null,
      undefined,
      'text',
      Object.freeze(new Error('frozen')),
      Object.create(null),
      revoked.proxy,
      new RetryLaterError(Number.MAX_VALUE),
      new RetryLaterError(1e15),
      Object.assign(new Error('x'.repeat(1_000_000)), { toString: () => 5 }),
      { toString: 5, message: { not: 'text' } },
    ];
    const backoffs = [NaN, Infinity, -1, 1e300, '5' as never];
    const handled = new Handled();
    rivulet.subscribe({
      topic: 'orders',
      group: 'billing',
      origin: 'billing',
      retry: { backoff: (attempt) => backoffs[attempt % backoffs.length]! },
      handler: (delivery) => {
        const n = Number(delivery.message.key!.slice(1));
        if (n < thrown.length) throw thrown[n];
        handled.note(delivery);
      },
    });
    const retried: string[] = [];
    const all = new Promise<void>((resolve) => {
      rivulet.events.on('retried', ({ key }) => {
        retried.push(key!);
        if (retried.length === thrown.length) resolve();
      });
    });
    await rivulet.consume();
    const keys = await publishMany(rivulet, thrown.length + 20);
    const good = keys.slice(thrown.length);
    await within(60_000, 'the good ones', handled.all(good));
    await within(60_000, `settling what was thrown (${retried.join(' ')})`, all);
    console.log(
      `bad-input handlers thrown=${thrown.length} retried=${retried.length} good=${good.length}`,
    );
    expect(handled.missing(good)).toEqual([]);
  });

  function send(topic: TopicName, body: unknown, options: SendOptions): Promise<unknown> {
    return rivulet.producer.send(topic, body, options);
  }
});
