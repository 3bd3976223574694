import type { PlainCodec } from './codec.js';
import { CodecError } from './errors.js';
import { describeValue } from './options.js';

/** Bytes as they are: chosen by itself when the body is a Buffer, a Uint8Array or an ArrayBuffer. */
export const bytesCodec: PlainCodec = {
  name: 'bytes',
  encode(body) {
    if (body instanceof Uint8Array) return body;
    if (body instanceof ArrayBuffer) return new Uint8Array(body);
    throw new CodecError(
      `The bytes codec takes a Buffer, Uint8Array or ArrayBuffer, got: ${describeValue(body)}`,
    );
  },
  decode: (bytes) => bytes,
};

export function isBytes(body: unknown): body is Uint8Array | ArrayBuffer {
  return body instanceof Uint8Array || body instanceof ArrayBuffer;
}
