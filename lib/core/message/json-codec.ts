import { types } from 'node:util';
import type { PlainCodec } from './codec.js';
import { CodecError } from './errors.js';
import { describeValue } from './options.js';

/** JSON deeper than this is refused: it would overflow somebody's stack. */
const DEEPEST = 100;

/**
 * The default. What JSON would change silently is refused with the path to it: `undefined` as a body or in an
 * array, BigInt, functions, symbols, NaN and infinities, invalid dates, promises, errors, Map, Set, RegExp, bytes
 * inside an object, cycles, nesting beyond 100 levels. A Date arrives as its ISO string, an instance of a class as
 * its fields, -0 as 0; properties that are `undefined` are left out.
 */
export const jsonCodec: PlainCodec = {
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
    throw new CodecError(
      `${path.slice(0, 60)}… is nested deeper than ${DEEPEST} levels or contains itself`,
      {
        path,
      },
    );
  if (Array.isArray(value)) return refuseInArray(value, path, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) refuseByKind(value, path);
  if (types.isDate(value)) return;
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
  // Of its own: what its class has, JSON leaves out, such as methods that TypeScript made for ES5.
  for (const key of Object.keys(value)) {
    const item = (value as Record<string, unknown>)[key];
    // The path is only put together where it may be needed: this runs for every field of every message.
    if (typeof item !== 'string' && typeof item !== 'boolean' && !Number.isFinite(item))
      refuseWhatJsonWouldChange(item, `${path}.${key}`, depth + 1);
  }
}

function refuseByKind(value: object, path: string): void {
  const problem = kindProblem(value);
  if (problem !== undefined) throw new CodecError(`${path} ${problem}`, { path });
}

/** Of an object that JSON turns into {}, or into something nobody would send, what it is. Works across realms. */
export function kindProblem(value: object): string | undefined {
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? 'is an invalid Date' : undefined;
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
