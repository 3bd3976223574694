import { bytesOf, jsonFrame, messageIdOf, PooledFrame } from '../../../lib/core/message/frame.js';
import { mintedAt, newMessageId, parseMessageId } from '../../../lib/core/message/message-id.js';
import { encodeFrame, type Header, NO_HEADER } from '../../../lib/core/message/wire-format.js';

const NOW = 1_700_000_000_000;
const LIMITS = { now: NOW, mostBytes: 1024 * 1024 };
const FULL: Header = {
  tag: 'größer',
  key: 'k',
  messageGroup: 'k',
  properties: { a: 1, b: 'x' },
  ttlMs: 5,
  dedupId: 'd',
};

describe('the frame of JSON', () => {
  it.each<[string, Header, unknown]>([
    ['nothing but a body', NO_HEADER, { n: 1 }],
    ['an empty text', NO_HEADER, ''],
    ['all that can be said', FULL, ['größer ✓ 𝄞', null]],
    ['a long header', { properties: { long: 'x'.repeat(2_000) } }, 1],
  ])('is what encodeFrame makes of it: %s', (_, header, body) => {
    const frame = made(header, body);
    const bytes = bytesOf(frame);
    const id = parseMessageId(frame.messageId);
    const text = JSON.stringify(body);
    expect(bytes).toEqual(encodeFrame(header, text, (target, at) => void id.copy(target, at)));
    expect(frame).toHaveLength(bytes.length);
    expect(messageIdOf(bytes)).toBe(messageIdOf(frame));
    expect(mintedAt(frame.messageId)).toBeGreaterThanOrEqual(NOW);
  });

  it('is the same wherever and whenever it is copied, whatever is made meanwhile', () => {
    const frames = Array.from({ length: 500 }, (_, i) => made(FULL, { i, text: 'x'.repeat(i) }));
    const target = Buffer.alloc(2_000);
    for (const [i, frame] of frames.entries()) {
      frame.copy(target.fill(0), 3);
      expect(target.toString('utf8', 3, 3 + frame.length)).toMatch(
        new RegExp(`\\{"i":${i},"text":"x{${i}}"}$`),
      );
      expect(target.subarray(0, 3)).toEqual(Buffer.alloc(3));
      expect(target.subarray(3 + frame.length).every((byte) => byte === 0)).toBe(true);
    }
    expect(new Set(frames.map(({ messageId }) => messageId)).size).toBe(500);
  });

  it('has its place among the ids of this process from when it was made', () => {
    const ids = [made(NO_HEADER, 1).messageId, newMessageId(NOW), made(NO_HEADER, 2).messageId];
    expect(ids).toEqual([...ids].sort());
  });

  it.each<[string, Header, unknown, number]>([
    ['a large body', NO_HEADER, 'x'.repeat(5_000), 1024 * 1024],
    ['more of a body than is allowed', NO_HEADER, 'x'.repeat(200), 100],
    ['a large header', { properties: { long: 'x'.repeat(5_000) } }, 1, 1024 * 1024],
    ['what needs a closer look', NO_HEADER, { a: new Map() }, 1024 * 1024],
    ['a getter that throws', NO_HEADER, throwing(), 1024 * 1024],
  ])('is not made of %s, and others are again', (_, header, body, mostBytes) => {
    const frame = (): unknown => jsonFrame(header, body, { now: NOW, mostBytes });
    expect(frame()).toBeUndefined();
    const others = Array.from({ length: 20 }, () => jsonFrame(NO_HEADER, 1, LIMITS));
    expect(others.at(-1)).toBeInstanceOf(PooledFrame);
    expect(frame()).toBeUndefined();
  });

  it('is not made within another one, whose body sends while it is read', () => {
    made(NO_HEADER, 1);
    let within: unknown = 'not asked';
    const body = {
      before: 1,
      get asked(): number {
        within = jsonFrame(FULL, { other: 2 }, LIMITS);
        encodeFrame(FULL, 'other', (target, at) => void target.fill(1, at, at + 16));
        return 3;
      },
    };
    const frame = made({ key: 'own' }, body);
    expect(within).toBeUndefined();
    expect(bytesOf(frame).toString('latin1')).toMatch(/own\{"before":1,"asked":3}$/);
  });
});

function throwing(): unknown {
  return {
    get price(): number {
      throw new Error('no price');
    },
  };
}

/** Up to fifteen of others may have to pass. */
function made(header: Header, body: unknown): PooledFrame {
  for (let i = 0; i < 20; i++) {
    const frame = jsonFrame(header, body, LIMITS);
    if (frame) return frame;
  }
  throw new Error('No frame was made');
}
