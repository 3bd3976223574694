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

/** What a digit is worth, by its character. */
const WORTH = new Uint8Array(256);
DIGITS.forEach((digit, worth) => (WORTH[digit] = worth));
/** For one id at a time: whoever fills them reads them out before anything else runs. */
const characters = Buffer.alloc(36);
const parsed = Buffer.alloc(MESSAGE_ID_BYTES);

/**
 * The 16 bytes of a formatted id, into `target` at `at`. Its characters are copied out first: asked for one by one they would
 * cost four times as much (decision 19).
 */
export function writeMessageId(id: MessageId, target: Buffer, at: number): void {
  characters.write(id, 0, 36, 'latin1');
  for (let i = 0; i < MESSAGE_ID_BYTES; i++) {
    const place = PLACES[i]!;
    target[at + i] = (WORTH[characters[place]!]! << 4) | WORTH[characters[place + 1]!]!;
  }
}

/** When the id was minted, by the sender's clock. */
export function mintedAt(id: MessageId): number {
  writeMessageId(id, parsed, 0);
  return bytesMintedAt(parsed, 0);
}

/** Of the 16 bytes at `at`. */
export function bytesMintedAt(bytes: Buffer, at: number): number {
  return bytes.readUIntBE(at, 6);
}

/** The smallest id that could be minted at `ms` (Unix ms), to compare with: as text and as bytes, ids are in the order of time. */
export function firstIdAt(ms: number): MessageId {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
