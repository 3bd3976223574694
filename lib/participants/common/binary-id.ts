import { formatMessageId, parseMessageId } from '../../core/message/message-id.js';

/** The 16 bytes of an id: half of what its text takes, and its order is the order of time. */
export const idToBytes = (id: string): Buffer => parseMessageId(id);

export const idFromBytes = (column: unknown): string => formatMessageId(bytesOf(column));

/** A binary column as any driver answers it. */
export function bytesOf(column: unknown): Buffer {
  if (Buffer.isBuffer(column)) return column;
  if (column instanceof Uint8Array)
    return Buffer.from(column.buffer, column.byteOffset, column.byteLength);
  if (column instanceof ArrayBuffer) return Buffer.from(column);
  throw new TypeError(`a binary column must be bytes, got: ${typeof column}`);
}
