import { NO_ROOM, writeJson } from './json-bytes.js';
import { JsonTries } from './json-tries.js';
import { formatMessageId, type MessageId, mintMessageId } from './message-id.js';
import { frameMessageId, type Header, ID_AT, measureHeader, writeHeader } from './wire-format.js';

/** The bytes of a message on its way to a store, to be copied where they are wanted. */
export type Frame = Buffer | PooledFrame;

/** As a pool of buffers of Node: what one message that waits for long keeps with it. */
const POOL_BYTES = 8 * 1024;
/** Larger ones are not worth a place in it. */
const LARGEST = POOL_BYTES / 2;

/**
 * A frame among others in one piece of memory: a buffer for each was a tenth of what a send costs (decision 34). Written once,
 * never changed.
 */
export class PooledFrame {
  readonly length: number;
  private readonly pool: Buffer;
  private readonly at: number;

  constructor(pool: Buffer, at: number, length: number) {
    this.pool = pool;
    this.at = at;
    this.length = length;
  }

  get messageId(): MessageId {
    return formatMessageId(this.pool, this.at + ID_AT);
  }

  /** As of a buffer. */
  copy(target: Buffer, at: number): void {
    this.pool.copy(target, at, this.at, this.at + this.length);
  }
}

let pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let used = 0;
const tries = new JsonTries();

/**
 * Header and `body` as JSON, with a new id.
 *
 * @param limits.now Unix ms. @param limits.mostBytes of the body.
 * @returns nothing where it is large, or one shortly before was, within a getter of another body, or where it needs a closer look
 * (`writeJson`): a codec and `encodeFrame` make it, or say why it cannot be made.
 */
export function jsonFrame(
  header: Header,
  body: unknown,
  limits: { now: number; mostBytes: number },
): PooledFrame | undefined {
  if (!tries.begin()) return undefined;
  try {
    let end = writeFrame(header, body, limits.mostBytes);
    if (end === NO_ROOM && used > 0) {
      pool = Buffer.allocUnsafeSlow(POOL_BYTES);
      used = 0;
      end = writeFrame(header, body, limits.mostBytes);
    }
    if (end === NO_ROOM) tries.foundNoRoom();
    if (end < 0) return undefined;
    mintMessageId(pool, used + ID_AT, limits.now);
    const frame = new PooledFrame(pool, used, end - used);
    used = end;
    return frame;
  } catch {
    // A getter threw: so it will for the codec, which says so.
    return undefined;
  } finally {
    tries.end();
  }
}

/** Behind what is used, all but the id. @returns as `writeJson`. */
function writeFrame(header: Header, body: unknown, mostBytes: number): number {
  const from = used + measureHeader(header);
  const limit = Math.min(from + mostBytes, used + LARGEST, POOL_BYTES);
  if (from >= limit) return NO_ROOM;
  writeHeader(pool, used);
  return writeJson(body, pool, from, limit);
}

/** A copy of its own. */
export function bytesOf(frame: Frame): Buffer {
  const bytes = Buffer.allocUnsafe(frame.length);
  frame.copy(bytes, 0);
  return bytes;
}

export function messageIdOf(frame: Frame): MessageId {
  return frame instanceof PooledFrame ? frame.messageId : frameMessageId(frame);
}
