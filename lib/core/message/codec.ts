import { types } from 'node:util';
import { CodecError, RivuletError } from './errors.js';
import { describeValue } from './options.js';

/**
 * Body ⇄ bytes. `name` travels with the message, so that a consumer with several codecs picks the right one.
 *
 * What `encode` throws reaches the sender, and nothing is stored. Whatever `decode` throws makes a dead letter, with its bytes
 * kept, at once: the same bytes will not decode later. Where they may, since a key is on its way, throw `RetryLaterError`.
 */
export interface Codec {
  readonly name: string;
  /**
   * Bodies that are bytes come to it, too. Default false: they travel as they are. A codec that encrypts must say true, or
   * they travel unencrypted.
   */
  readonly takesBytes?: boolean;
  /** At once: a promise is refused, as it is by `decode`. */
  encode(body: unknown): Uint8Array | string;
  decode(bytes: Buffer): unknown;
}

/** What of it is no codec, for whoever was given one under this name. */
export function codecProblems(what: string, codec: unknown): string[] {
  if (typeof codec !== 'object' || codec === null)
    return [`${what} must be { name, encode, decode }, got: ${describeValue(codec)}`];
  const { name, encode, decode, takesBytes } = codec as { [K in keyof Codec]?: unknown };
  return [
    typeof name === 'string' && name.length > 0
      ? undefined
      : `${what}.name must be text, which travels with each message, got: ${describeValue(name)}`,
    ...Object.entries({ encode, decode }).map(([method, value]) =>
      typeof value === 'function'
        ? undefined
        : `${what}.${method} must be a function, got: ${describeValue(value)}`,
    ),
    takesBytes === undefined || typeof takesBytes === 'boolean'
      ? undefined
      : `${what}.takesBytes must be true or false, got: ${describeValue(takesBytes)}`,
  ].filter((problem) => problem !== undefined);
}

/** @throws CodecError when the codec answers no bytes; what it throws itself. */
export function encodeBody(codec: Codec, body: unknown): Uint8Array | string {
  const bytes: unknown = codec.encode(body);
  if (typeof bytes === 'string' || types.isUint8Array(bytes)) return bytes;
  refusePromise(codec, bytes);
  throw new CodecError(
    `Codec "${codec.name}" must answer text or bytes, got: ${describeValue(bytes)}`,
  );
}

function refusePromise(codec: Codec, answer: unknown): void {
  if (!types.isPromise(answer)) return;
  // Nobody else looks at it: its rejection would end the process.
  answer.catch(() => undefined);
  throw new CodecError(
    `Codec "${codec.name}" answers a promise, and has to answer at once: fetch keys before they are needed`,
  );
}

/** JSON deeper than this is refused: it would overflow somebody's stack. */
const DEEPEST = 100;

/**
 * The default. What JSON would change silently is refused with the path to it: `undefined` as a body or in an
 * array, BigInt, functions, symbols, NaN and infinities, invalid dates, promises, errors, Map, Set, RegExp, bytes
 * inside an object, cycles, nesting beyond 100 levels. A Date arrives as its ISO string, an instance of a class as
 * its fields, -0 as 0; properties that are `undefined` are left out.
 */
export const jsonCodec: Codec = {
  name: 'json',
  encode(body) {
    let text: string | undefined;
    try {
      if (!isPlainJson(body, 0)) refuseWhatJsonWouldChange(body, '$', 0);
      text = JSON.stringify(body) as string | undefined;
    } catch (error) {
      if (error instanceof CodecError) throw error;
      const why = error instanceof Error ? error.message : 'it threw while it was read';
      throw new CodecError(`The body cannot be written as JSON: ${why}`, { cause: error });
    }
    if (text === undefined) throw new CodecError('The toJSON of the body answers undefined');
    return text;
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

function isBytes(body: unknown): body is Uint8Array | ArrayBuffer {
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

  /** Bytes go unchanged unless the preferred codec takes them; everything else through that. */
  forBody(body: unknown): Codec {
    return isBytes(body) && this.preferred.takesBytes !== true ? bytesCodec : this.preferred;
  }

  decode(codecName: string, bytes: Buffer): unknown {
    const codec = this.byName.get(codecName);
    if (!codec)
      throw new CodecError(
        `No codec ${describeValue(codecName)} is known here (known: ${[...this.byName.keys()].join(', ')}); add it to the option "codecs"`,
      );
    try {
      const body = codec.decode(bytes);
      refusePromise(codec, body);
      return body;
    } catch (error) {
      if (error instanceof RivuletError) throw error;
      // Not its text, which may quote the body.
      throw new CodecError(`Codec "${codecName}" cannot decode the body (${bytes.length} bytes)`, {
        cause: error,
      });
    }
  }
}

/**
 * Whether nothing in it needs a closer look, as in nearly every body: texts, numbers and such in plain objects and arrays.
 * Without the path to each value, which is made of text for every body and wanted for those that are refused.
 */
function isPlainJson(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      return value === null || (depth < DEEPEST && isPlainObject(value, depth));
    default:
      return false;
  }
}

function isPlainObject(value: object, depth: number): boolean {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isPlainJson(value[i], depth + 1)) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value)
    if (!isPlainJson((value as Record<string, unknown>)[key], depth + 1)) return false;
  return (value as { toJSON?: unknown }).toJSON === undefined;
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
  if (Array.isArray(value)) return refuseInArray(value, path, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) refuseByKind(value, path);
  if (value instanceof Date) return;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') {
    const answer: unknown = toJSON.call(value, '');
    // JSON.stringify does not ask the answer for its own toJSON.
    if (typeof answer === 'object' && answer !== null) refuseInFields(answer, path, depth + 1);
    else refuseWhatJsonWouldChange(answer, path, depth + 1);
    return;
  }
  refuseInFields(value, path, depth);
}

function refuseInArray(items: readonly unknown[], path: string, depth: number): void {
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    if (typeof item === 'string') continue;
    const itemPath = `${path}[${i}]`;
    if (item === undefined)
      throw new CodecError(`${itemPath} is undefined, which JSON turns into null`, {
        path: itemPath,
      });
    refuseWhatJsonWouldChange(item, itemPath, depth + 1);
  }
}

function refuseInFields(value: object, path: string, depth: number): void {
  if (Array.isArray(value)) return refuseInArray(value, path, depth);
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    // The path is only put together where it may be needed: this runs for every field of every message.
    if (typeof item !== 'string' && typeof item !== 'boolean' && !Number.isFinite(item))
      refuseWhatJsonWouldChange(item, `${path}.${key}`, depth + 1);
  }
}

/** Objects that JSON turns into {}, or into something nobody would send. Works across realms. */
function refuseByKind(value: object, path: string): void {
  const problem = kindProblem(value);
  if (problem !== undefined) throw new CodecError(`${path} ${problem}`, { path });
}

function kindProblem(value: object): string | undefined {
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'is an invalid Date' : undefined;
  if (typeof (value as { then?: unknown }).then === 'function')
    return 'is a Promise, which JSON turns into {}; await it first';
  if (types.isMap(value) || types.isSet(value) || types.isWeakMap(value) || types.isWeakSet(value))
    return `is a ${value.constructor.name}, which JSON turns into {}; spread it first`;
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value))
    return 'holds bytes, which JSON bloats; send bytes as the whole body, or base64';
  if (types.isRegExp(value)) return 'is a RegExp, which JSON turns into {}; send its source';
  if (types.isNativeError(value))
    return 'is an Error, which JSON turns into {}; send what is to be known of it';
  return undefined;
}
