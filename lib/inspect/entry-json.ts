import { isUtf8 } from 'node:buffer';

/** Bytes as JSON shows them: text where they are text in UTF-8, else base64. Node would write a list of numbers. */
export type ShownBytes = string | { base64: string };

export function shownBytes(bytes: Uint8Array): ShownBytes {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer) && !buffer.some(isControl)) return buffer.toString('utf8');
  return { base64: buffer.toString('base64') };
}

/** The same, of whatever it is: only bytes change, and only where they are the value itself. */
export function shown(value: unknown): unknown {
  return value instanceof Uint8Array ? shownBytes(value) : value;
}

/** The same object, of which `JSON.stringify` (an answer over HTTP) takes what `toJSON` says. Not seen otherwise. */
export function shownAs<T extends object>(view: T, toJSON: () => unknown): T {
  return Object.defineProperty(view, 'toJSON', { value: toJSON });
}

/** What no text holds: it is Protobuf, or the like. */
function isControl(byte: number): boolean {
  return (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) || byte === 0x7f;
}
