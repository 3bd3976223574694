import { MalformedMessageError } from '../../../lib/core/message/errors.js';
import {
  decodeReply,
  encodeReply,
  jsonReply,
  type ReplyPacket,
} from '../../../lib/core/message/reply-packet.js';

const PACKET: ReplyPacket = {
  requestId: '019b76da-a800-7abc-8def-0123456789ab',
  seq: 4_000_000_000,
  kind: 'value',
  codec: 'json',
  bytes: Buffer.from('{"a":1}'),
};

describe('reply packets', () => {
  it.each(['value', 'last-value', 'error', 'end'] as const)('bring back a %s', (kind) => {
    expect(decodeReply(encodeReply({ ...PACKET, kind }))).toEqual({ ...PACKET, kind });
  });

  it('bring back an empty body', () => {
    const packet = { ...PACKET, bytes: Buffer.alloc(0) };
    expect(decodeReply(encodeReply(packet))).toEqual(packet);
  });

  it('are refused when they are cut off before the body', () => {
    const packed = encodeReply({ ...PACKET, bytes: Buffer.alloc(0) });
    for (let length = 0; length < packed.length; length++)
      expect(() => decodeReply(packed.subarray(0, length))).toThrow(MalformedMessageError);
  });

  it.each([
    ['another version', 0, 2],
    ['an unknown kind', 21, 9],
    ['a codec longer than the packet', 22, 255],
  ])('are refused with %s', (_, at, byte) => {
    const packed = encodeReply(PACKET);
    packed[at] = byte;
    expect(() => decodeReply(packed)).toThrow(MalformedMessageError);
  });
});

describe('a reply with JSON', () => {
  const { bytes: _, codec: __, ...STEP } = PACKET;
  const MOST_BYTES = 1024 * 1024;

  it.each<[string, unknown]>([
    ['an object', { id: 1, note: 'größer ✓ 𝄞 "', lines: [{ price: 19.9, at: new Date(0) }] }],
    ['null', null],
    ['an empty text', ''],
    ['some thousand bytes', 'x'.repeat(4_000)],
  ])('is what encodeReply makes of the same text: %s', (_, body) => {
    const bytes = JSON.stringify(body);
    expect(made(body)).toEqual(encodeReply({ ...STEP, codec: 'json', bytes }));
  });

  it('keeps its bytes, whatever is made later', () => {
    const packets = Array.from({ length: 100 }, (_, i) => made('x'.repeat(i)));
    for (const [i, packet] of packets.entries())
      expect(decodeReply(packet).bytes.toString()).toBe(`"${'x'.repeat(i)}"`);
  });

  it.each<[string, unknown, number]>([
    ['a large body', 'x'.repeat(5_000), MOST_BYTES],
    ['more of a body than is allowed', 'x'.repeat(200), 100],
    ['what needs a closer look', { a: new Map() }, MOST_BYTES],
    [
      'a getter that throws',
      {
        price: 1,
        get name() {
          throw new Error('none');
        },
      },
      MOST_BYTES,
    ],
  ])('is not made of %s, and others are again', (_, body, mostBytes) => {
    made(1);
    expect(jsonReply(STEP, body, mostBytes)).toBeUndefined();
    made(1);
    expect(jsonReply(STEP, body, mostBytes)).toBeUndefined();
  });

  it('is not made within another one, whose body answers somebody else while it is read', () => {
    made(1);
    let within: unknown = 'not asked';
    const body = {
      before: 1,
      get asked(): number {
        within = jsonReply(STEP, { other: 2 }, MOST_BYTES);
        return 3;
      },
    };
    expect(decodeReply(made(body)).bytes.toString()).toBe('{"before":1,"asked":3}');
    expect(within).toBeUndefined();
  });

  /** Up to fifteen of others may have to pass. */
  function made(body: unknown): Buffer {
    for (let i = 0; i < 20; i++) {
      const packet = jsonReply(STEP, body, MOST_BYTES);
      if (packet) return packet;
    }
    throw new Error('No reply was made');
  }
});
