import { bytesCodec } from '../../../lib/core/message/bytes-codec.js';
import { type Codec, encodeBody } from '../../../lib/core/message/codec.js';
import { Codecs } from '../../../lib/core/message/codecs.js';
import { CodecError } from '../../../lib/core/message/errors.js';
import { jsonCodec } from '../../../lib/core/message/json-codec.js';

describe('the bytes codec', () => {
  it.each<[string, Uint8Array | ArrayBuffer]>([
    ['a Buffer', Buffer.from([0, 255])],
    ['a Uint8Array that is a part of another', new Uint8Array([9, 0, 255, 9]).subarray(1, 3)],
    ['an ArrayBuffer', new Uint8Array([0, 255]).buffer],
  ])('is chosen for %s and changes no byte', (_, body) => {
    const codecs = new Codecs();
    expect(codecs.forBody(body)).toBe(bytesCodec);
    const bytes = bytesCodec.encode(body) as Uint8Array;
    expect(Buffer.from(bytes)).toEqual(Buffer.from([0, 255]));
  });

  it('refuses everything else', () => {
    expect(() => bytesCodec.encode({})).toThrow(CodecError);
  });
});

const MESSAGE = { topic: 'orders', messageId: 'm', codec: 'json', bytes: Buffer.from('{}') };
const ANSWER = {
  requestId: 'm',
  seq: 0,
  kind: 'value',
  codec: 'json',
  bytes: Buffer.from('{}'),
} as const;
const whole = { kind: 'message', topic: 'orders', messageId: 'm' } as const;

describe('Codecs', () => {
  const upper = {
    name: 'upper',
    encode: (body: unknown) => String(body).toUpperCase(),
    decode: (bytes: Buffer) => bytes.toString(),
  };

  it('knows JSON, bytes, the preferred one and the others', () => {
    const codecs = new Codecs({ others: [upper] });
    expect(codecs.forBody('x')).toBe(jsonCodec);
    expect(codecs.bodyOf({ ...MESSAGE, codec: 'upper', bytes: Buffer.from('X') })).toBe('X');
    expect(new Codecs({ preferred: upper }).forBody('x')).toBe(upper);
  });

  it('gives bytes to the preferred codec only when that takes them', () => {
    const bytes = Buffer.of(1);
    expect(new Codecs({ preferred: upper }).forBody(bytes)).toBe(bytesCodec);
    const greedy = { ...upper, takesBytes: true };
    expect(new Codecs({ preferred: greedy }).forBody(bytes)).toBe(greedy);
  });

  it('says which codec is missing and where to add it', () => {
    expect(() => new Codecs().bodyOf({ ...MESSAGE, codec: 'avro' })).toThrow(
      /No codec "avro".*json, bytes.*option "codecs"/,
    );
  });

  it.each([undefined, null, 5, {}])('refuses bytes that are none: %p', (answer) => {
    const broken = { ...upper, encode: () => answer } as unknown as Codec;
    expect(() => encodeBody(broken, 'x', whole)).toThrow(CodecError);
    expect(() => encodeBody(broken, 'x', whole)).toThrow(
      /^Codec "upper" must answer text or bytes, got/,
    );
  });

  it('refuses promises both ways, and none of them goes unhandled', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const later = {
      name: 'later',
      encode: () => Promise.reject(new Error('no key')),
      decode: () => Promise.reject(new Error('no key')),
    } as unknown as Codec;
    const says = /^Codec "later" answers a promise, and has to answer at once/;
    expect(() => encodeBody(later, 'x', whole)).toThrow(says);
    expect(() => new Codecs({ preferred: later }).bodyOf({ ...MESSAGE, codec: 'later' })).toThrow(
      says,
    );
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('tells a codec whose body it reads, also one that is called as ours is', () => {
    const codecs = new Codecs({
      preferred: { name: 'json', encode: () => '', decode: (_, context) => context },
    });
    expect(codecs.bodyOf(MESSAGE)).toEqual(whole);
    expect(codecs.bodyOfAnswer(ANSWER, 'orders')).toEqual({ kind: 'answer' });
  });

  it('says of which message it is that cannot be read, and not what is in it', () => {
    const preferred = {
      name: 'strict',
      encode: () => '',
      decode: (): never => {
        throw new TypeError('hunter2');
      },
    };
    const codecs = new Codecs({ preferred });
    const about = { code: 'CODEC', topic: 'orders', messageId: 'm' };
    const says = 'Codec "strict" cannot decode the body (2 bytes)';
    const error = (read: () => unknown): unknown => {
      try {
        return read();
      } catch (thrown) {
        return thrown;
      }
    };
    expect(error(() => codecs.bodyOf({ ...MESSAGE, codec: 'strict' }))).toMatchObject({
      ...about,
      message: says,
      cause: new TypeError('hunter2'),
    });
    expect(
      error(() => codecs.bodyOfAnswer({ ...ANSWER, codec: 'strict' }, 'orders')),
    ).toMatchObject({
      ...about,
      message: `Answer to a request to topic "orders": ${says}`,
    });
    expect(error(() => codecs.bodyOf({ ...MESSAGE, bytes: Buffer.from('{') }))).toMatchObject(
      about,
    );
  });
});
