import { MalformedMessageError } from '../../../lib/core/message/errors.js';
import { mintMessageId, parseMessageId } from '../../../lib/core/message/message-id.js';
import {
  decodeMessage,
  encodeFrame,
  frameMessageId,
  hasMessageId,
  type Header,
  MAX_HEADER_BYTES,
  WIRE_VERSION,
} from '../../../lib/core/message/wire-format.js';

const PLACE = { topic: 'orders', queue: 3, offset: '1767225600000-7' };
const ID = '019b76da-a800-7abc-8def-0123456789ab';
const writeId = (target: Buffer, at: number): void => void parseMessageId(ID).copy(target, at);

const FULL: Header = {
  tag: 'created',
  key: 'ünïcode 😀',
  messageGroup: 'g',
  properties: { amount: 12.5, region: 'eu', express: true },
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  codec: 'avro',
  ttlMs: 60_000,
  replyTo: 'inbox-1',
  dedupId: 'pay-17',
  tracestate: 'vendor=x',
  baggage: 'tenant=c',
};

const encode = (header: Header, body: string | Uint8Array = ''): Buffer =>
  encodeFrame(header, body, writeId);
const decode = (frame: Buffer) => decodeMessage(PLACE, frame);

/** version · id · flags · fields, as a newer library of the same version might write it. */
function rawFrame(flags: readonly number[], fields: readonly string[], version = 1): Buffer {
  const packed = fields.map((text) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)]));
  return Buffer.concat([Buffer.of(version), parseMessageId(ID), Buffer.of(...flags), ...packed]);
}

describe('the wire format', () => {
  it('brings every field back', () => {
    const { codec, ...rest } = FULL;
    expect(decode(encode(FULL, 'body'))).toEqual({
      ...PLACE,
      ...rest,
      properties: expect.objectContaining(FULL.properties!),
      codec,
      messageId: ID,
      bornAt: 0x019b76daa800,
      bytes: Buffer.from('body'),
    });
  });

  it.each([
    ...['a', 'x'.repeat(40), 'x'.repeat(41), 'x'.repeat(200), 'é', 'é'.repeat(20), 'é'.repeat(40)],
    ...['😀', `${'x'.repeat(39)}ü`, '\u0001 \u007f', '\u0080', 'x'.repeat(127), 'x'.repeat(128)],
  ])('brings a text back, short or long, of ASCII or not: %j', (text) => {
    const frame = encode({ tag: text, key: text, messageGroup: `${text}!` }, 'body');
    expect(decode(frame)).toMatchObject({ tag: text, key: text, messageGroup: `${text}!` });
    expect(frame.includes(Buffer.from(text))).toBe(true);
  });

  it('leaves out a trace context that is none, and refuses an address that would be a part of another key', () => {
    for (const traceparent of [
      'x',
      FULL.traceparent + '0',
      FULL.traceparent!.replace('00', 'ff'),
      'g'.repeat(55),
      'x'.repeat(9_000),
    ])
      expect(decode(encode({ ...FULL, traceparent }))).toMatchObject({
        traceparent: undefined,
        key: FULL.key,
      });
    for (const text of ['', 'a\nb', 'ü'])
      expect(decode(encode({ ...FULL, tracestate: text, baggage: text }))).toMatchObject({
        traceparent: FULL.traceparent,
        tracestate: undefined,
        baggage: undefined,
      });
    for (const address of ['x}:y{z', 'a b', '\u0000', 'x'.repeat(65)])
      for (const header of [{ replyTo: address }, { receiptTo: address }])
        expect(() => decode(encode(header))).toThrow(MalformedMessageError);
  });

  it('brings back a message without any field', () => {
    const frame = encode({});
    expect(frame).toHaveLength(18);
    expect(decode(frame)).toMatchObject({
      messageId: ID,
      tag: undefined,
      key: undefined,
      properties: {},
      ttlMs: undefined,
      codec: 'json',
    });
  });

  it.each(Object.keys(FULL) as (keyof Header)[])('brings back %s alone', (field) => {
    expect(decode(encode({ [field]: FULL[field] }))).toMatchObject({ [field]: FULL[field] });
  });

  it.each([[''], ['x'.repeat(200)], ['x'.repeat(16_300)]])(
    'brings back a field of any length',
    (tag) => {
      expect(decode(encode({ tag }, 'body')).tag).toBe(tag);
    },
  );

  it('changes no byte of a body', () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    expect(decode(encode(FULL, every)).bytes).toEqual(every);
    expect(decode(encode({}, '😀')).bytes.toString()).toBe('😀');
    expect(decode(encode({}, '')).bytes).toHaveLength(0);
  });

  it('knows the id of a frame without decoding it', () => {
    expect(frameMessageId(encode(FULL))).toBe(ID);
    expect(hasMessageId(encode(FULL), parseMessageId(ID))).toBe(true);
    expect(hasMessageId(encode(FULL), Buffer.alloc(16))).toBe(false);
    expect(hasMessageId(Buffer.alloc(3), Buffer.alloc(16))).toBe(false);
  });

  it('takes one byte for a message group that is the key', () => {
    const both = encode({ key: 'order-1', messageGroup: 'order-1' });
    expect(both).toHaveLength(encode({ key: 'order-1' }).length + 1);
    expect(decode(both)).toMatchObject({ key: 'order-1', messageGroup: 'order-1' });
  });

  it('gives properties no prototype to reach', () => {
    const { properties } = decode(encode({ properties: { a: 1 } }));
    expect(Object.getPrototypeOf(properties)).toBeNull();
    const evil = rawFrame([8], ['{"__proto__":1,"a":{"deep":1},"b":"x"}']);
    expect({ ...decode(evil).properties }).toEqual(JSON.parse('{"__proto__":1,"b":"x"}'));
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  it('refuses a header beyond 16 KiB, and accepts one of exactly that', () => {
    const longest = MAX_HEADER_BYTES - 18 - 2;
    expect(encode({ tag: 'x'.repeat(longest) })).toHaveLength(MAX_HEADER_BYTES);
    expect(() => encode({ tag: 'x'.repeat(longest + 1) })).toThrow(
      /16385 bytes, 16384 are allowed/,
    );
  });

  it.each(['none', 'full'])('refuses a header cut off at any byte (%s)', (kind) => {
    const header = encode(kind === 'full' ? FULL : {});
    for (let length = 0; length < header.length; length++)
      expect(() => decode(header.subarray(0, length))).toThrow(MalformedMessageError);
  });

  it('answers any single byte changed with a message or an error of its own', () => {
    const header = encode(FULL);
    const surprises: unknown[] = [];
    for (let at = 0; at < header.length; at++)
      for (const change of [0x01, 0x80, 0xff]) {
        const damaged = Buffer.from(header);
        damaged[at]! ^= change;
        try {
          decode(damaged);
        } catch (error) {
          if (!(error instanceof MalformedMessageError)) surprises.push({ at, change, error });
        }
      }
    expect(surprises).toEqual([]);
  });

  it('skips fields it does not know', () => {
    // Flags 0 (tag), 9 and 20 are set; only the first is known.
    const flags = [0x80 | 0x01, 0x80 | 0x04, 0x40];
    expect(decode(rawFrame(flags, ['created', 'news', 'more']))).toMatchObject({
      tag: 'created',
      key: undefined,
    });
  });

  it('takes what follows the last field for the body, also behind one it does not know', () => {
    const frame = Buffer.concat([
      rawFrame([0x80 | 0x01, 0x04], ['a', 'news']),
      Buffer.from('body'),
    ]);
    expect(decode(frame)).toMatchObject({ tag: 'a', bytes: Buffer.from('body') });
  });

  it.each([WIRE_VERSION + 1, 255])('tells a newer version from damage: %i', (version) => {
    for (const header of [rawFrame([0], [], version), Buffer.of(version)])
      expect(() => decode(header)).toThrow(
        expect.objectContaining({ version, code: 'MALFORMED_MESSAGE' }) as Error,
      );
  });

  it.each<[string, Buffer]>([
    ['no byte', Buffer.alloc(0)],
    ['version 0', rawFrame([0], [], 0)],
    ['a number that never ends', rawFrame([0xff, 0xff, 0xff, 0xff, 0xff], [])],
    ['a length beyond the end', rawFrame([1], []).fill(0)],
    ['properties that are no JSON', rawFrame([8], ['{'])],
  ])('refuses %s, without a version', (_, header) => {
    expect(() => decode(header)).toThrow(
      expect.objectContaining({ code: 'MALFORMED_MESSAGE', version: undefined }) as Error,
    );
  });
});

describe('message ids', () => {
  it('are in the order they were minted, also within a millisecond and when the clock steps back', () => {
    const target = Buffer.alloc(16);
    const ids: string[] = [];
    for (let i = 0; i < 20_000; i++) {
      mintMessageId(target, 0, i < 10_000 ? 5_000_000_000_000 : 4_999_999_000_000);
      ids.push(target.toString('hex'));
    }
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(20_000);
  });
});
