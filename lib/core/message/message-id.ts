import { randomFillSync } from 'node:crypto';

/**
 * Identity of a message: minted when `send` is called, the same through retries, dead letters and redrives.
 *
 * A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds by the sender's clock, then a counter that keeps ids of one
 * process in the order they were minted, then randomness.
 */
export type MessageId = string;

export const MESSAGE_ID_BYTES = 16;

const POOL_BYTES = 4096;
const pool = Buffer.alloc(POOL_BYTES);
let poolAt = POOL_BYTES;
let lastMs = 0;
let counter = 0;

/** Mint an id into `target` at `at`. `now` is Unix ms; a clock that steps back does not break the order. */
export function mintMessageId(target: Buffer, at: number, now: number): void {
  if (poolAt + 8 > POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  if (now > lastMs) {
    lastMs = now;
    // Starts low enough to count 3 000 ids and more within one millisecond before it would borrow from the next.
    counter = pool.readUInt16BE(poolAt) & 0x03ff;
  } else if (++counter > 0x0fff) {
    lastMs += 1;
    counter = 0;
  }
  target.writeUIntBE(lastMs, at, 6);
  target[at + 6] = 0x70 | (counter >> 8);
  target[at + 7] = counter & 0xff;
  target[at + 8] = (pool[poolAt]! & 0x3f) | 0x80;
  for (let i = 1; i < 8; i++) target[at + 8 + i] = pool[poolAt + i]!;
  poolAt += 8;
}

/** An id by itself, for what has no frame. `now` as above. */
export function newMessageId(now: number): MessageId {
  mintMessageId(minted, 0, now);
  return formatMessageId(minted);
}

/** Read out at once. */
const minted = Buffer.alloc(MESSAGE_ID_BYTES);

const DIGITS = Buffer.from('0123456789abcdef');
const DASH = 0x2d;
const text = Buffer.alloc(36, DASH);
/** Where the two digits of each byte stand between the dashes. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;

/**
 * The usual 36 characters of the 16 bytes at `at`. Written into one buffer and read out once: putting them together
 * from pieces left twenty strings behind for each message.
 */
export function formatMessageId(bytes: Buffer, at = 0): MessageId {
  for (let i = 0; i < MESSAGE_ID_BYTES; i++) {
    const byte = bytes[at + i]!;
    const place = PLACES[i]!;
    text[place] = DIGITS[byte >> 4]!;
    text[place + 1] = DIGITS[byte & 0xf]!;
  }
  return text.toString('latin1');
}

const SHAPE = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isMessageId(text: unknown): text is MessageId {
  return typeof text === 'string' && SHAPE.test(text);
}

/** The 16 bytes of a formatted id. */
export function parseMessageId(id: MessageId): Buffer {
  const bytes = Buffer.allocUnsafe(MESSAGE_ID_BYTES);
  writeMessageId(id, bytes, 0);
  return bytes;
}

/** The 16 bytes of a formatted id, into `target` at `at`. */
export function writeMessageId(id: MessageId, target: Buffer, at: number): void {
  for (let i = 0; i < MESSAGE_ID_BYTES; i++) {
    const place = PLACES[i]!;
    target[at + i] = (digitAt(id, place) << 4) | digitAt(id, place + 1);
  }
}

/** '0' to '9' are 0x30 to 0x39, 'a' to 'f' 0x61 to 0x66. */
function digitAt(id: MessageId, place: number): number {
  const code = id.charCodeAt(place);
  return code < 0x3a ? code - 0x30 : code - 0x57;
}

/** When the id was minted, by the sender's clock. */
export function mintedAt(id: MessageId): number {
  let ms = 0;
  // Its first twelve digits. No bits are shifted: 48 of them are more than shifts take.
  for (let at = 0; at < 13; at++) if (at !== 8) ms = ms * 16 + digitAt(id, at);
  return ms;
}

/** The smallest id that could be minted at `ms` (Unix ms), to compare with: as text and as bytes, ids are in the order of time. */
export function firstIdAt(ms: number): MessageId {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
