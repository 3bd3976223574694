import { readReceipt, writeReceipt } from '../../../lib/core/consumer/pull/receipt.js';
import { addToHistory } from '../../../lib/core/consumer/history.js';
import { readAnswer } from '../../../lib/core/idempotency/kept-answer.js';
import { InvalidInputError, MalformedMessageError } from '../../../lib/core/message/errors.js';
import { decodeReceipt, encodeReceipt } from '../../../lib/core/message/receipt-packet.js';
import { decodeReply, encodeReply } from '../../../lib/core/message/reply-packet.js';
import {
  decodeMessage,
  encodeFrame,
  messageGroupOf,
} from '../../../lib/core/message/wire-format.js';
import { decodeOutboxRow, encodeOutboxRow } from '../../../lib/core/transaction/outbox-row.js';
import { readContent, readPacked } from '../../../lib/redis/entry-content.js';
import { readHalf } from '../../../lib/redis/stored-half.js';
import { Random } from '../../contract/random.js';

/** RIVULET_FUZZ=1000000 for the long form, RIVULET_SEED for other bytes. */
const ROUNDS = Number(process.env['RIVULET_FUZZ'] ?? 5_000);
const SEED = Number(process.env['RIVULET_SEED'] ?? 20_261_126);

const ID = '019316f0-0000-7000-8000-000000000001';
const PLACE = { topic: 'orders', queue: 0, offset: '1-1' };
const HOSTILE =
  '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":[1,null]}';

const frame = encodeFrame(
  { tag: 't', key: 'k', messageGroup: 'g', properties: { a: 1, b: 'x' }, ttlMs: 5, codec: 'c' },
  'body',
  (target, at) => void target.fill(7, at, at + 16),
);
const reply = { requestId: ID, seq: 1, kind: 'value', codec: 'json', bytes: HOSTILE } as const;
const kept = {
  topic: 'orders',
  place: { queue: 0, generation: 1 },
  route: { by: 'turn' },
  entry: { frame, due: undefined, dedupId: 'd' },
  key: 'k',
  acks: { replicas: 2 },
} as const;
const lengthOf = (bytes: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return length;
};
const packed = Buffer.concat([
  lengthOf(Buffer.from('rv')),
  Buffer.from('rv'),
  lengthOf(frame),
  frame,
]);
const half = Buffer.concat([
  Buffer.from('d:main%20x name 1732600000000 0 - 1 +5 d%31\n'),
  lengthOf(frame),
  frame,
]);

/** What comes from the wire: bytes that are right, and who reads them. */
const READERS: [string, Buffer, (bytes: Buffer) => unknown][] = [
  ['a message', frame, (bytes) => decodeMessage(PLACE, bytes)],
  ['its message group', frame, (bytes) => messageGroupOf(bytes)],
  ['a reply', encodeReply(reply), (bytes) => decodeReply(bytes)],
  [
    'a receipt packet',
    encodeReceipt({ messageId: ID, group: 'g', outcome: { state: 'handled' } }),
    (bytes) => decodeReceipt(bytes),
  ],
  [
    'a receipt by hand',
    Buffer.from(
      writeReceipt({ ...PLACE, group: 'g', deliveryCount: 1, attempt: 1, messageId: ID }),
      'base64url',
    ),
    (bytes) => readReceipt(bytes.toString('base64url')),
  ],
  [
    'a kept answer',
    Buffer.concat([lengthOf(encodeReply(reply)), encodeReply(reply)]),
    (bytes) => readAnswer(bytes),
  ],
  ['a row of the outbox', encodeOutboxRow([kept], 0), (bytes) => decodeOutboxRow(bytes)],
  ['fields that are packed', packed, (bytes) => readContent(readPacked(bytes))],
  ['a half', half, (bytes) => readHalf(ID, bytes)],
  [
    'a history',
    Buffer.from(HOSTILE),
    (bytes) => addToHistory(bytes.toString(), { attempt: 1, at: 0, error: 'e', consumer: 'c' }),
  ],
];

/** Bits turned over, bytes left out or put in, an end cut off, numbers made as large as they can be. */
function damaged(bytes: Buffer, random: Random): Buffer {
  let found = Buffer.from(bytes);
  for (let left = random.between(1, 4); left > 0; left--) {
    const at = random.between(0, Math.max(0, found.length - 1));
    switch (random.between(0, 5)) {
      case 0:
        found[at]! ^= 1 << random.between(0, 7);
        break;
      case 1:
        found = found.subarray(0, at);
        break;
      case 2:
        found.fill(0xff, at, Math.min(found.length, at + random.between(1, 5)));
        break;
      case 3:
        found = Buffer.concat([found.subarray(0, at), found.subarray(at + random.between(1, 9))]);
        break;
      case 4:
        found = Buffer.concat([found.subarray(0, at), Buffer.from(HOSTILE), found.subarray(at)]);
        break;
      default:
        found.fill(random.between(0, 255), at, Math.min(found.length, at + 1));
    }
  }
  return found;
}

describe(`what comes from the wire, damaged at random (seed ${SEED})`, () => {
  it.each(READERS)('%s is read, or refused as what it is', (_name, right, read) => {
    const random = new Random(SEED);
    expect(() => read(right)).not.toThrow();
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = damaged(right, random);
      try {
        read(bytes);
      } catch (error) {
        if (error instanceof MalformedMessageError || error instanceof InvalidInputError) continue;
        throw new Error(`${bytes.toString('hex')}: ${String(error)}`, { cause: error });
      }
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('has a header of 16 KiB at most, and properties that are an object without a prototype', () => {
    const whole = (properties: string): Buffer => {
      const text = Buffer.from(properties);
      const flag = Buffer.from([8]);
      const size = Buffer.from([
        0x80 | (text.length & 0x7f),
        0x80 | ((text.length >> 7) & 0x7f),
        text.length >> 14,
      ]);
      return Buffer.concat([frame.subarray(0, 17), flag, size, text]);
    };
    const { properties } = decodeMessage(PLACE, whole('{"__proto__":"x","a":1,"b":{"c":1}}'));
    expect(Object.getPrototypeOf(properties)).toBeNull();
    expect(Object.entries(properties)).toEqual([
      ['__proto__', 'x'],
      ['a', 1],
    ]);
    for (const text of ['"text"', '5', 'null', '[1]', '{', '{"a":"' + 'x'.repeat(17_000) + '"}'])
      expect(() => decodeMessage(PLACE, whole(text))).toThrow(MalformedMessageError);
  });

  it('has a row of the outbox only if each message says where it goes, in words that may become keys', () => {
    const row = (described: unknown): Buffer => {
      const json = Buffer.from(JSON.stringify([described]));
      return Buffer.concat([Buffer.from([1]), lengthOf(json), json]);
    };
    const right = { topic: 'orders', place: null, route: { by: 'turn' }, bytes: 0 };
    expect(decodeOutboxRow(row(right))).toHaveLength(1);
    for (const wrong of [
      { topic: 'x}:y{z' },
      { place: { queue: -1, generation: 1 } },
      { place: { queue: 1 } },
      { place: 'here' },
      { route: { by: 'magic' } },
      { route: { by: 'queue', queue: -1 } },
      { route: { by: 'message-group' } },
      { bytes: -1 },
      { dueAt: 'soon' },
      { dedupId: 'x'.repeat(300) },
    ])
      expect(() => decodeOutboxRow(row({ ...right, ...wrong }))).toThrow(MalformedMessageError);
  });
});
