import { writeJson } from '../../../lib/core/message/json-bytes.js';
import { jsonCodec } from '../../../lib/core/message/json-codec.js';
import { Random } from '../../contract/random.js';

/** RIVULET_FUZZ=1000000 for the long form, RIVULET_SEED for other values. */
const ROUNDS = Number(process.env['RIVULET_FUZZ'] ?? 5_000);
const SEED = Number(process.env['RIVULET_SEED'] ?? 20_261_127);
const BYTES = 64 * 1024;

const target = Buffer.alloc(BYTES);

function written(value: unknown, limit = BYTES): string | undefined {
  const end = writeJson(value, target, 0, limit);
  return end < 0 ? undefined : target.toString('utf8', 0, end);
}

class Money {
  readonly amount: number = 5;
  readonly #secret = 1;
  get double(): number {
    return 2 * this.amount + this.#secret;
  }
}
class Euro extends Money {
  readonly currency = 'EUR';
}
class Amount extends Number {
  readonly extra = 1;
}
class Said {
  readonly a = 1;
  toJSON(): string {
    return 'x';
  }
}
class Awaited {
  then(): void {
    // Nobody waits.
  }
}

const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
const cyclic: { self?: unknown } = {};
cyclic.self = cyclic;
const sparse = Array<number>(3);
sparse[2] = 1;

describe('JSON as bytes', () => {
  it.each<[unknown]>([
    [null],
    [true],
    [false],
    ...[0, -0, 1, -1, 9, 10, 99, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 53, 0.1, 1e21, 5e-324].map(
      (number): [unknown] => [number],
    ),
    [Number.MAX_VALUE],
    [''],
    ['\u0000\u001f "\\/\u007f\u0080\u07ff\u0800\u2028\ud7ff\ue000\uffff'],
    ['😀 \ud83d \ude00 \ude00\ud83d'],
    ...[99, 100, 101].flatMap((length): [unknown][] => [
      ['x'.repeat(length)],
      ['é'.repeat(length)],
      ['"'.repeat(length)],
    ]),
    [[]],
    [[[], {}, [[]]]],
    [{}],
    [{ a: { b: { c: {} } }, d: [{}] }],
    [{ z: 1, 10: 'b', 9: 'a', ünïcode: 1, '': 2, '"': 3 }],
    [{ length: 3, toString: 'x', hasOwnProperty: 1, constructor: null }],
    [JSON.parse('{"__proto__":{"polluted":1},"a":2}')],
    [{ nothing: undefined, something: 1, last: undefined }],
    [{ nothing: undefined }],
    [new Date(0)],
    [{ at: [new Date(8.64e15)], [Symbol('unseen')]: 1 }],
    [Object.freeze({ a: 1 })],
    [Object.defineProperty({ a: 1 }, 'hidden', { value: 2 })],
    [new Proxy({ a: 1 }, {})],
    [new Money()],
    [new Euro()],
    [{ prices: [new Euro(), new Money()] }],
    [Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true } })],
    [deep(99)],
  ])('is what JSON.stringify makes of %p', (value) => {
    expect(written(value)).toBe(JSON.stringify(value));
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['undefined in a list', [undefined]],
    ['a list with a hole', sparse],
    ['NaN', { a: NaN }],
    ['an infinity', -Infinity],
    ['a BigInt', { a: 1n }],
    ['a function', { a: () => 1 }],
    ['a symbol', Symbol('a')],
    ['a Map', new Map()],
    ['a boxed number', Object(5)],
    ['an instance of a class of numbers', new Amount(5)],
    ['an instance of a class of maps', new (class extends Map {})()],
    ['an instance of a class with toJSON', new Said()],
    ['what can be awaited', new Awaited()],
    ['an invalid Date', new Date(NaN)],
    ['a Date that says something else', Object.assign(new Date(0), { toJSON: () => 1 })],
    ['toJSON', { toJSON: () => 1 }],
    ['a list with toJSON', Object.assign([1], { toJSON: () => 2 })],
    ['what has no prototype: it may be raw JSON', Object.create(null)],
    ['bytes', Buffer.from('a')],
    ['a promise', Promise.resolve()],
    ['what contains itself', cyclic],
    ['what is deeper than 100 levels', deep(101)],
  ])('is not made of %s', (_, value) => {
    expect(written(value)).toBeUndefined();
    expect(written({ a: [value] })).toBeUndefined();
  });

  it.each<[string, object]>([
    ['an error', new RangeError('a')],
    ['an error of an application', new (class extends Error {})('a')],
    ['a pattern', /a/],
    ['a boxed number', Object(5) as object],
    ['a boxed text', Object('a') as object],
    ['bytes', new Uint8Array(1)],
  ])('is not made of %s because something else has its prototype', (_, value) => {
    written(Object.create(Object.getPrototypeOf(value) as object));
    expect(written({ a: value })).toBeUndefined();
  });

  it('is of a list as long as it was when its getters began to add to it', () => {
    const growing = (): number[] =>
      Object.defineProperty([1, 2], 0, {
        get(this: number[]) {
          this[2] = 3;
          return 1;
        },
      });
    expect(written(growing())).toBe(JSON.stringify(growing()));
  });

  it('is not made where an application gave every object a property', () => {
    const everywhere = Object.prototype as { everywhere?: number };
    everywhere.everywhere = 1;
    try {
      expect(written({ a: 1 })).toBeUndefined();
    } finally {
      delete everywhere.everywhere;
    }
    expect(written({ a: 1 })).toBe('{"a":1}');
  });

  it('lets out what a getter throws', () => {
    const body = {
      get price(): number {
        throw new Error('no price');
      },
    };
    expect(() => written(body)).toThrow('no price');
  });

  it.each([
    ['an object', { id: 1, lines: [{ ok: true, none: null, at: new Date(0) }], n: -1.5 }],
    ['an ASCII text', 'x'.repeat(70)],
    ['a long text', 'x'.repeat(300)],
    ['a text of many bytes', '漢'.repeat(70)],
    ['a text with escapes', '\n"'.repeat(30)],
    ['closing marks', deep(90)],
    ['numbers', [1, 22, 333, -4.5, 1e300]],
  ])('stays within its room: %s', (_, value) => {
    const text = JSON.stringify(value);
    const bytes = Buffer.byteLength(text);
    const place = Buffer.alloc(bytes + 400);
    const texts: (string | undefined)[] = [];
    for (let limit = 0; limit <= bytes + 300; limit++) {
      place.fill(0xff);
      const end = writeJson(value, place, 3, 3 + limit);
      expect(place.subarray(3 + limit).every((byte) => byte === 0xff)).toBe(true);
      texts.push(end < 0 ? undefined : place.toString('utf8', 3, end));
    }
    const first = texts.indexOf(text);
    expect(first).toBeGreaterThanOrEqual(bytes);
    expect(new Set(texts.slice(0, first))).toEqual(new Set([undefined]));
    expect(new Set(texts.slice(first))).toEqual(new Set([text]));
  });

  it('is of any value what the codec makes of it, or nothing', () => {
    const random = new Random(SEED);
    let made = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const value = anyValue(random, 0);
      const bytes = written(value);
      if (bytes === undefined) continue;
      made += 1;
      if (bytes !== jsonCodec.encode(value))
        throw new Error(`Seed ${SEED}, round ${round}: ${JSON.stringify(value)} became ${bytes}`);
    }
    expect(made).toBeGreaterThan(ROUNDS / 3);
  });
});

const UNUSUAL: readonly unknown[] = [
  undefined,
  NaN,
  Infinity,
  1n,
  new Money(),
  new Amount(5),
  new Date(NaN),
  new Map(),
  Object.create(null),
  { toJSON: () => 'x' },
];

function anyValue(random: Random, depth: number): unknown {
  if (random.chance(0.01)) return random.pick(UNUSUAL);
  const kind = random.between(0, depth > 4 ? 4 : 6);
  switch (kind) {
    case 0:
      return random.pick([null, true, false]);
    case 1:
      return anyNumber(random);
    case 2:
      return new Date(random.between(-8.64e15, 8.64e15));
    case 3:
    case 4:
      return anyText(random);
    case 5:
      return Array.from({ length: random.between(0, 6) }, () => anyValue(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.between(0, 8) }, () => [
          random.chance(0.2) ? random.between(0, 20) : anyText(random),
          random.chance(0.1) ? undefined : anyValue(random, depth + 1),
        ]),
      );
  }
}

function anyNumber(random: Random): number {
  const exact = random.between(-(2 ** random.between(1, 53)), 2 ** random.between(1, 53));
  return random.chance(0.5) ? exact : exact * 10 ** random.between(-300, 290);
}

function anyText(random: Random): string {
  const most = random.pick([0x7f, 0x7f, 0x7f, 0x7ff, 0xffff]);
  const length = random.between(0, random.chance(0.1) ? 150 : 12);
  const codes = Array.from({ length }, () =>
    random.between(random.chance(0.1) ? 0 : Math.min(0x20, most), most),
  );
  return String.fromCharCode(...codes);
}
