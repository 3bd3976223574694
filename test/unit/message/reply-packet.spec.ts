import { MalformedMessageError } from '../../../lib/core/message/errors.js';
import {
  decodeReply,
  encodeReply,
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
