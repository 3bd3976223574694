import { bytesOf, messageIdOf, TextFrame } from '../../../lib/core/message/frame.js';
import {
  mintedAt,
  newMessageId,
  parseMessageId,
  writeMessageId,
} from '../../../lib/core/message/message-id.js';
import { encodeFrame, NO_HEADER } from '../../../lib/core/message/wire-format.js';

const NOW = 1_700_000_000_000;

describe('the frame of a text', () => {
  it.each(['{"n":1}', '', '"größer ✓ 𝄞"', 'x'.repeat(100_000)])(
    'is what encodeFrame makes of it: %.20s',
    (text) => {
      const frame = textFrame(text);
      const made = bytesOf(frame);
      const id = parseMessageId(frame.messageId);
      expect(made).toEqual(encodeFrame(NO_HEADER, text, (target, at) => void id.copy(target, at)));
      expect(frame).toHaveLength(made.length);
    },
  );

  it('is the same wherever and whenever it is copied', () => {
    const frame = textFrame('"é"');
    const target = Buffer.alloc(200);
    frame.copy(target, 3);
    frame.copy(target, 103);
    expect(target.subarray(103, 103 + frame.length)).toEqual(target.subarray(3, 3 + frame.length));
    expect(target.subarray(0, 3)).toEqual(Buffer.alloc(3));
    expect(target.subarray(3 + frame.length, 103)).toEqual(Buffer.alloc(100 - frame.length));
  });

  it.each(['before', 'after'])('has one id, asked for %s it is written', (when) => {
    const frame = textFrame('1');
    const early = when === 'before' ? frame.messageId : undefined;
    const written = messageIdOf(bytesOf(frame));
    expect([early ?? written, frame.messageId, messageIdOf(frame)]).toEqual([
      written,
      written,
      written,
    ]);
    expect(mintedAt(written)).toBeGreaterThanOrEqual(NOW);
  });

  it('has its place among the ids of this process from when it was made, not from when it is written', () => {
    const first = textFrame('1');
    const second = newMessageId(NOW);
    const third = textFrame('3');
    const [late, early] = [messageIdOf(bytesOf(third)), messageIdOf(bytesOf(first))];
    expect([early, second, late]).toEqual([early, second, late].sort());
    expect(new Set([early, second, late]).size).toBe(3);
  });

  it('differs in its random part from another of the same moment', () => {
    const random = Array.from({ length: 500 }, () => textFrame('').messageId.slice(-17));
    expect(new Set(random).size).toBe(500);
  });

  it('is written over what was there before', () => {
    const target = Buffer.alloc(64, 0xff);
    const frame = textFrame('ab');
    writeMessageId(newMessageId(NOW), target, 1);
    frame.copy(target, 0);
    expect(messageIdOf(target)).toBe(frame.messageId);
    expect(target[17]).toBe(0);
  });
});

function textFrame(text: string): TextFrame {
  return new TextFrame({ text, bytes: Buffer.byteLength(text), now: NOW });
}
