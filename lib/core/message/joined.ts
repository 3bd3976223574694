/** What stands before each part: its length, as an unsigned integer of four bytes (big endian). */
export const LENGTH_BYTES = 4;

/** Several byte strings as one, each with its length before it: one argument costs less than many. */
export function joined(parts: readonly Uint8Array[]): Buffer {
  let size = 0;
  for (const part of parts) size += LENGTH_BYTES + part.length;
  const all = Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) {
    at = all.writeUInt32BE(part.length, at);
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * What `joined` was given, `most` parts at most: a megabyte of zeros would be a quarter of a million parts. They share the bytes
 * with the whole.
 */
export function parted(all: Buffer, most = Infinity): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at + LENGTH_BYTES <= all.length && parts.length < most;) {
    const end = at + LENGTH_BYTES + all.readUInt32BE(at);
    parts.push(all.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return parts;
}

/** Whether the bytes end with a part: others may have written, or damaged, them. */
export function isWhole(all: Buffer): boolean {
  let at = 0;
  while (at + LENGTH_BYTES <= all.length) at += LENGTH_BYTES + all.readUInt32BE(at);
  return at === all.length;
}
