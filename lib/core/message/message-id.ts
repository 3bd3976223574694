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
  pool.copy(target, at + 8, poolAt, poolAt + 8);
  target[at + 8] = (target[at + 8]! & 0x3f) | 0x80;
  poolAt += 8;
}

const HEX: string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The usual 36 characters of the 16 bytes at `at`. */
export function formatMessageId(bytes: Buffer, at = 0): MessageId {
  const h = (offset: number): string => HEX[bytes[at + offset]!]!;
  return (
    h(0) +
    h(1) +
    h(2) +
    h(3) +
    '-' +
    h(4) +
    h(5) +
    '-' +
    h(6) +
    h(7) +
    '-' +
    h(8) +
    h(9) +
    '-' +
    h(10) +
    h(11) +
    h(12) +
    h(13) +
    h(14) +
    h(15)
  );
}

const SHAPE = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isMessageId(text: unknown): text is MessageId {
  return typeof text === 'string' && SHAPE.test(text);
}

/** The 16 bytes of a formatted id. */
export function parseMessageId(id: MessageId): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

/** When the id was minted, by the sender's clock. */
export function mintedAt(id: MessageId): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
