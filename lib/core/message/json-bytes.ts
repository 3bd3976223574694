import { writeAscii } from './ascii-bytes.js';
import { kindProblem } from './json-codec.js';
import { writeDigits, writeShortNumber } from './number-bytes.js';

/** Of bodies nested deeper, others say where. */
const DEEPEST = 100;
/** Longer texts are looked through faster by V8 itself. */
const LONG_TEXT = 100;
/** What no text of a number takes more of: -0.0000012345678901234567. */
const NUMBER_BYTES = 25;
/** What is written between two looks at the room: closing and separating marks. */
const MARGIN = 4;

/** Not written, since there is no room. */
export const NO_ROOM = -1;
/** Not written, since something in it needs a closer look. */
const LEFT = -2;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const FIRST_SURROGATE = 0xd800;
const LAST_SURROGATE = 0xdfff;

/** Asked as a method of each text, V8 would look it up for each character (decision 35). */
// eslint-disable-next-line @typescript-eslint/unbound-method -- called with its text
const { charCodeAt } = String.prototype;
const dateToJson: unknown = Date.prototype.toJSON;
// eslint-disable-next-line @typescript-eslint/unbound-method -- called with its function
const sourceOf = Function.prototype.toString;
const NATIVE = '{ [native code] }';
const NOTHING = {};

/**
 * Writes `value` as the bytes that `JSON.stringify` would make of it, at `at` of `target`, not beyond `limit`. For most
 * values a good deal faster, and nothing is left behind that has to be collected (decision 35).
 *
 * @returns where it ends; `NO_ROOM`; another negative number where JSON would change something silently, or for a `toJSON`. Some
 * bytes may have been written then.
 * @throws what a getter in it throws.
 */
export function writeJson(value: unknown, target: Buffer, at: number, limit: number): number {
  // An application that gave every object a property: for-in would take it for one of theirs.
  for (const _ in NOTHING) return LEFT;
  return writeValue(value, target, at, limit - MARGIN, 0);
}

function writeValue(
  value: unknown,
  target: Buffer,
  at: number,
  limit: number,
  depth: number,
): number {
  // Not `switch`, for which V8 makes the name of each type.
  if (typeof value === 'string') return writeText(value, target, at, limit);
  if (typeof value === 'number') return writeNumber(value, target, at, limit);
  if (typeof value === 'boolean') return writeWord(value ? 'true' : 'false', target, at, limit);
  if (value === null) return writeWord('null', target, at, limit);
  if (typeof value !== 'object' || depth >= DEEPEST) return LEFT;
  return Array.isArray(value)
    ? writeList(value, target, at, limit, depth)
    : writeObject(value as Record<string, unknown>, target, at, limit, depth);
}

function writeList(
  items: readonly unknown[],
  target: Buffer,
  from: number,
  limit: number,
  depth: number,
): number {
  if ((items as { toJSON?: unknown }).toJSON !== undefined) return LEFT;
  if (from > limit) return NO_ROOM;
  let at = from;
  target[at++] = OPEN_LIST;
  // Asked once, as JSON does: a getter may add to it.
  const { length } = items;
  for (let i = 0; i < length; i++) {
    if (i > 0) target[at++] = COMMA;
    at = writeValue(items[i], target, at, limit, depth + 1);
    if (at < 0) return at;
  }
  if (at > limit) return NO_ROOM;
  target[at] = CLOSE_LIST;
  return at + 1;
}

function writeObject(
  value: Record<string, unknown>,
  target: Buffer,
  from: number,
  limit: number,
  depth: number,
): number {
  const prototype = Object.getPrototypeOf(value) as object | null;
  // One without a prototype may be raw JSON.
  if (prototype === null) return LEFT;
  const { toJSON } = value;
  if (toJSON !== undefined)
    return toJSON === dateToJson && prototype === Date.prototype
      ? writeDate(value as unknown as Date, target, from, limit)
      : LEFT;
  if (from > limit) return NO_ROOM;
  let at = from;
  target[at++] = OPEN_OBJECT;
  if (prototype === Object.prototype)
    for (const key in value) {
      at = writeField(key, value[key], target, at, limit, depth);
      if (at < 0) return at;
    }
  else if (isOfFields(value, prototype))
    for (const key of Object.keys(value)) {
      at = writeField(key, value[key], target, at, limit, depth);
      if (at < 0) return at;
    }
  else return LEFT;
  if (at > limit) return NO_ROOM;
  const isEmpty = at === from + 1;
  if (isEmpty) at += 1;
  // In place of the comma behind the last one.
  target[at - 1] = CLOSE_OBJECT;
  return at;
}

/** With a comma behind it; nothing for what JSON leaves out. */
function writeField(
  key: string,
  item: unknown,
  target: Buffer,
  from: number,
  limit: number,
  depth: number,
): number {
  if (item === undefined) return from;
  let at = writeText(key, target, from, limit);
  if (at < 0) return at;
  target[at++] = COLON;
  at = writeValue(item, target, at, limit, depth + 1);
  if (at < 0) return at;
  target[at] = COMMA;
  return at + 1;
}

/** Prototypes of classes of an application: of their instances JSON knows the fields. */
const ofFields = new WeakSet<object>();

/** Looked at once for each class. */
function isOfFields(value: object, prototype: object): boolean {
  if (ofFields.has(prototype)) return true;
  // Anything else is of a class of the language, or says that it is.
  if (Object.prototype.toString.call(value) !== '[object Object]' || kindProblem(value))
    return false;
  // What `Object.create` makes of an error's prototype is none, but the next one may be.
  if (!isOfLanguage(prototype)) ofFields.add(prototype);
  return ofFields.has(prototype);
}

/** Whether a class of the language, in whatever realm, is among those of a prototype. All are of Object, where the chain ends. */
function isOfLanguage(prototype: object): boolean {
  let at = prototype;
  for (let next; (next = Object.getPrototypeOf(at) as object | null) !== null; at = next) {
    const { constructor } = at as { constructor: unknown };
    if (Object.hasOwn(at, 'constructor') && typeof constructor === 'function')
      if (sourceOf.call(constructor).endsWith(NATIVE)) return true;
  }
  return false;
}

function writeDate(date: Date, target: Buffer, at: number, limit: number): number {
  // What is invalid has none.
  const text: unknown = date.toJSON();
  return typeof text === 'string' ? writeText(text, target, at, limit) : LEFT;
}

function writeText(text: string, target: Buffer, from: number, limit: number): number {
  const { length } = text;
  // Three bytes are the most that one code unit takes.
  if (length > LONG_TEXT || from + 3 * length + 2 > limit)
    return writeQuoted(text, target, from, limit);
  let at = from;
  target[at++] = QUOTE;
  for (let i = 0; i < length; i++) {
    const code = charCodeAt.call(text, i);
    if (code < 0x80) {
      if (code < SPACE || code === QUOTE || code === BACKSLASH)
        return writeQuoted(text, target, from, limit);
      target[at++] = code;
    } else if (code < 0x800) {
      target[at++] = 0xc0 | (code >> 6);
      target[at++] = 0x80 | (code & 0x3f);
    } else {
      if (code >= FIRST_SURROGATE && code <= LAST_SURROGATE)
        return writeQuoted(text, target, from, limit);
      target[at++] = 0xe0 | (code >> 12);
      target[at++] = 0x80 | ((code >> 6) & 0x3f);
      target[at++] = 0x80 | (code & 0x3f);
    }
  }
  target[at] = QUOTE;
  return at + 1;
}

/** What is long, needs an escape, or may have no room. */
function writeQuoted(text: string, target: Buffer, at: number, limit: number): number {
  // No text takes fewer bytes than it has code units.
  if (at + text.length + 2 > limit) return NO_ROOM;
  const quoted = JSON.stringify(text);
  const bytes = Buffer.byteLength(quoted);
  if (at + bytes > limit) return NO_ROOM;
  target.write(quoted, at, bytes, bytes === quoted.length ? 'latin1' : 'utf8');
  return at + bytes;
}

function writeNumber(value: number, target: Buffer, at: number, limit: number): number {
  if (at + NUMBER_BYTES > limit) return NO_ROOM;
  if ((value | 0) === value && value >= 0) return writeDigits(value, target, at);
  if (!Number.isFinite(value)) return LEFT;
  const end = writeShortNumber(value, target, at);
  return end > at ? end : writeWord(String(value), target, at, limit);
}

/** ASCII without an escape. */
function writeWord(word: string, target: Buffer, at: number, limit: number): number {
  return at + word.length > limit ? NO_ROOM : writeAscii(word, target, at);
}
