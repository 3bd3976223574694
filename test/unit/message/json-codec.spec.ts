import { runInNewContext } from 'node:vm';
import { CodecError } from '../../../lib/core/message/errors.js';
import { jsonCodec } from '../../../lib/core/message/json-codec.js';

const roundTrip = (body: unknown): unknown =>
  jsonCodec.decode(Buffer.from(jsonCodec.encode(body) as string));

class Money {
  readonly amount: number;
  readonly #secret = 1;
  constructor(amount: number) {
    this.amount = amount;
  }
  secret(): number {
    return this.#secret;
  }
}

describe('the JSON codec', () => {
  it.each<[unknown]>([
    [null],
    [true],
    [0],
    [1.5e300],
    [''],
    ['\u0000 \ud83d\ude00 \ud800'],
    [[]],
    [{}],
    [{ a: [1, { b: null }], ünïcode: '\u2028' }],
    [{ length: 3, toString: 'x', hasOwnProperty: 1 }],
  ])('brings back %p unchanged', (body) => {
    expect(roundTrip(body)).toEqual(body);
  });

  it('sends a Date as its ISO string and leaves out what is undefined', () => {
    const at = new Date(0);
    expect(roundTrip({ at, nothing: undefined })).toEqual({ at: '1970-01-01T00:00:00.000Z' });
    expect(roundTrip(at)).toBe('1970-01-01T00:00:00.000Z');
  });

  it('sends the fields of an instance of a class', () => {
    expect(roundTrip(new Money(5))).toEqual({ amount: 5 });
  });

  it('sends such fields also where the methods of a class can be listed, as TypeScript makes them for ES5', () => {
    const order: unknown = Object.assign(Object.create({ total: () => 1, known: new Map() }), {
      id: 1,
    });
    expect(jsonCodec.encode(order)).toBe('{"id":1}');
  });

  it('sends what toJSON answers', () => {
    expect(roundTrip({ price: { toJSON: () => ({ amount: 5 }) } })).toEqual({
      price: { amount: 5 },
    });
  });

  it('keeps "__proto__" an ordinary name, on both ways', () => {
    const body: unknown = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":1}}');
    const back = roundTrip(body) as object;
    expect(Object.keys(back)).toEqual(['__proto__', 'constructor']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  let deep: unknown = 1;
  for (let i = 0; i < 20_000; i++) deep = [deep];
  const throwing = {
    get field(): never {
      throw new Error('from a getter');
    },
  };

  it.each<[what: string, body: unknown, path: string, problem: RegExp]>([
    ['undefined', undefined, '$', /send null/],
    ['BigInt', { order: { id: 1n } }, '$.order.id', /1n/],
    ['a function', { f: () => 1 }, '$.f', /a function/],
    ['a symbol', [Symbol('s')], '$[0]', /a symbol/],
    ['NaN', { a: [1, NaN] }, '$.a[1]', /NaN, which JSON turns into null/],
    ['Infinity', -Infinity, '$', /Infinity/],
    ['an invalid Date', { at: new Date(NaN) }, '$.at', /invalid Date/],
    ['one of another realm', { at: runInNewContext('new Date(NaN)') }, '$.at', /invalid Date/],
    ['a Map', { m: new Map([[1, 2]]) }, '$.m', /a Map/],
    ['a Set', new Set([1]), '$', /a Set/],
    ['a WeakMap', { m: new WeakMap() }, '$.m', /WeakMap/],
    ['a Promise somebody forgot to await', { p: Promise.resolve(1) }, '$.p', /Promise.*await/],
    ['a Promise as the body', Promise.resolve(1), '$', /Promise.*await/],
    ['a RegExp', { r: /x/ }, '$.r', /RegExp/],
    ['an Error', { e: new TypeError('x') }, '$.e', /Error/],
    ['bytes inside an object', { raw: Buffer.from('x') }, '$.raw', /bytes/],
    ['an ArrayBuffer inside an object', { raw: new ArrayBuffer(1) }, '$.raw', /bytes/],
    ['undefined in an array', { list: [1, undefined] }, '$.list[1]', /undefined.*null/],
    ['a hole in an array', { list: Object.assign([], { 1: 1 }) }, '$.list[0]', /undefined.*null/],
    ['a cycle', cyclic, '$.self', /contains itself/],
    ['20 000 levels', deep, '$[0]', /^.{60}… is nested deeper than 100/],
    ['a getter that throws', throwing, '$', /from a getter/],
    ['a toJSON that throws', { toJSON: () => JSON.parse('{') as unknown }, '$', /JSON/],
    ['a toJSON that answers undefined', { toJSON: () => undefined }, '$', /undefined/],
    ['a toJSON that answers what JSON cannot hold', { d: { toJSON: () => NaN } }, '$.d', /NaN/],
  ])('refuses %s, and says where', (_, body, path, problem) => {
    let error: unknown;
    try {
      jsonCodec.encode(body);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CodecError);
    expect((error as CodecError).message).toMatch(problem);
    expect((error as CodecError).path.startsWith(path)).toBe(true);
  });

  it.each([[''], ['{'], ['undefined'], ['\u0000']])('refuses to read %p', (text) => {
    expect(() => jsonCodec.decode(Buffer.from(text))).toThrow(CodecError);
  });

  it('shows no byte of a body it cannot read', () => {
    expect(() => jsonCodec.decode(Buffer.from('{"password":"hunter2"'))).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }) as Error,
    );
  });
});
