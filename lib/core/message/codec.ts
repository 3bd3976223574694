import { CodecError } from './errors.js';
import { describeValue } from './options.js';

/**
 * Body ⇄ bytes. `name` travels with the message, so that a consumer with several codecs picks the right one.
 *
 * Both directions throw `CodecError`; a body that cannot be decoded becomes a dead letter with its bytes kept.
 */
export interface Codec {
  readonly name: string;
  encode(body: unknown): Uint8Array | string;
  decode(bytes: Buffer): unknown;
}

/** JSON deeper than this is refused: it would overflow somebody's stack. */
const DEEPEST = 100;

/**
 * The default. What JSON would change silently is refused with the path to it: `undefined` as a body, BigInt,
 * functions, symbols, NaN and infinities, invalid dates, Map, Set, bytes inside an object, cycles, nesting
 * beyond 100 levels. A Date arrives as its ISO string; properties that are `undefined` are left out.
 */
export const jsonCodec: Codec = {
  name: 'json',
  encode(body) {
    refuseWhatJsonWouldChange(body, '$', 0);
    try {
      return JSON.stringify(body);
    } catch (error) {
      throw new CodecError(`The body cannot be written as JSON: ${(error as Error).message}`, {
        cause: error,
      });
    }
  },
  decode(bytes) {
    try {
      return JSON.parse(bytes.toString('utf8')) as unknown;
    } catch (error) {
      throw new CodecError(`The body is no JSON (${bytes.length} bytes)`, { cause: error });
    }
  },
};

/** Bytes as they are: chosen by itself when the body is a Buffer, a Uint8Array or an ArrayBuffer. */
export const bytesCodec: Codec = {
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

/** The codecs a process knows, by name. `json` and `bytes` are always there. */
export class Codecs {
  readonly preferred: Codec;
  private readonly byName: Map<string, Codec>;

  constructor(options: { preferred?: Codec; others?: readonly Codec[] } = {}) {
    this.preferred = options.preferred ?? jsonCodec;
    this.byName = new Map(
      [jsonCodec, bytesCodec, ...(options.others ?? []), this.preferred].map((codec) => [
        codec.name,
        codec,
      ]),
    );
  }

  /** Bytes go unchanged, everything else through the preferred codec. */
  forBody(body: unknown): Codec {
    return isBytes(body) ? bytesCodec : this.preferred;
  }

  decode(codecName: string, bytes: Buffer): unknown {
    const codec = this.byName.get(codecName);
    if (!codec)
      throw new CodecError(
        `No codec "${codecName}" is known here (known: ${[...this.byName.keys()].join(', ')}); add it to the option "codecs"`,
      );
    return codec.decode(bytes);
  }
}

function refuseWhatJsonWouldChange(value: unknown, path: string, depth: number): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      if (Number.isFinite(value)) return;
      throw new CodecError(`${path} is ${value}, which JSON turns into null`, { path });
    case 'undefined':
      if (depth > 0) return;
      throw new CodecError('The body is undefined; send null if "nothing" is meant', { path });
    case 'object':
      if (value !== null) refuseInObject(value, path, depth);
      return;
    default:
      throw new CodecError(
        `${path} is ${describeValue(value)}, which JSON cannot hold; convert it to text first`,
        {
          path,
        },
      );
  }
}

function refuseInObject(value: object, path: string, depth: number): void {
  if (depth >= DEEPEST)
    throw new CodecError(`${path} is nested deeper than ${DEEPEST} levels or contains itself`, {
      path,
    });
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      if (typeof item !== 'string') refuseWhatJsonWouldChange(item, `${path}[${i}]`, depth + 1);
    }
    return;
  }
  if (value instanceof Date) {
    if (!Number.isNaN(value.getTime())) return;
    throw new CodecError(`${path} is an invalid Date`, { path });
  }
  if (
    value instanceof Map ||
    value instanceof Set ||
    value instanceof WeakMap ||
    value instanceof WeakSet
  )
    throw new CodecError(
      `${path} is a ${value.constructor.name}, which JSON turns into {}; spread it first`,
      { path },
    );
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    throw new CodecError(
      `${path} holds bytes, which JSON bloats; send bytes as the whole body, or base64`,
      { path },
    );
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return;
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    // The path is only put together where it may be needed: this runs for every field of every message.
    if (typeof item !== 'string' && typeof item !== 'boolean' && !Number.isFinite(item))
      refuseWhatJsonWouldChange(item, `${path}.${key}`, depth + 1);
  }
}
