import { writeAscii } from './ascii-bytes.js';
import { MalformedMessageError } from './errors.js';
import type { GivenProperties, MessageView, Properties } from './message.js';
import { isCarried, isTraceparent } from './traceparent.js';
import { formatMessageId, MESSAGE_ID_BYTES, type MessageId } from './message-id.js';

/**
 * A message as bytes, its frame: a packed header, and behind it the body as it is.
 *
 *   header  version (1 byte = 1) · message id (16) · flags (unsigned varint) · fields
 *   fields  one for each set flag, lowest bit first: length (varint) · UTF-8 text
 *
 * Every field carries its length, so a reader skips flags it does not know: additions need no new version. A new
 * version is for what an old reader would get wrong; it holds such messages instead of guessing. A message group of
 * length 0 is the same text as the key: many senders use one business id for both.
 */
export const WIRE_VERSION = 1;

/** Largest header, written or read: it is parsed before anything about the message is known. */
export const MAX_HEADER_BYTES = 16 * 1024;

/** What a header says, in the order of its flags. Absent fields cost no byte. */
export interface Header {
  tag?: string | undefined;
  key?: string | undefined;
  messageGroup?: string | undefined;
  properties?: Readonly<GivenProperties> | undefined;
  traceparent?: string | undefined;
  /** Left out for JSON. */
  codec?: string | undefined;
  ttlMs?: number | undefined;
  replyTo?: string | undefined;
  dedupId?: string | undefined;
  receiptTo?: string | undefined;
  tracestate?: string | undefined;
  baggage?: string | undefined;
}

/** Where the message id stands in a frame. */
export const ID_AT = 1;
const FLAGS_AT = ID_AT + MESSAGE_ID_BYTES;

/** Texts up to here are written character by character. */
const SHORT = 40;

/** Nothing is said about a message. */
export const NO_HEADER: Header = {};

/** Texts of the header being written, by their flags, and their bytes. Lists for each message were much of what it left behind. */
const texts: (string | undefined)[] = new Array<undefined>(12).fill(undefined);
const lengths = new Uint32Array(12);
let flags = 0;

/** How many bytes a header takes, for `writeHeader`, which is to be called for it before anything else is measured. */
export function measureHeader(header: Header): number {
  if (header === NO_HEADER) {
    flags = 0;
    return FLAGS_AT + 1;
  }
  takeTexts(header);
  let taken = 0;
  let bytes = 0;
  for (let bit = 0; bit < texts.length; bit++) {
    const text = texts[bit];
    if (text === undefined) continue;
    const length = Buffer.byteLength(text);
    taken |= 1 << bit;
    lengths[bit] = length;
    bytes += varintSize(length) + length;
  }
  flags = taken;
  return FLAGS_AT + varintSize(taken) + bytes;
}

/** The header that was measured last, all but the id, for which it leaves room. @returns where the body begins. */
export function writeHeader(target: Buffer, from: number): number {
  target[from] = WIRE_VERSION;
  let at = writeVarint(target, from + FLAGS_AT, flags);
  for (let bit = 0; flags >> bit; bit++) {
    if (!((flags >> bit) & 1)) continue;
    const text = texts[bit]!;
    const length = lengths[bit]!;
    at = writeVarint(target, at, length);
    const isShortAscii = length === text.length && length <= SHORT;
    at = isShortAscii ? writeAscii(text, target, at) : at + target.write(text, at, 'utf8');
  }
  return at;
}

/**
 * Header and body in one buffer. `writeId` puts the 16 bytes of the message id in place.
 *
 * @param bodyBytes how many the body takes, for whoever knows it.
 * @throws RangeError when the header exceeds 16 KiB.
 */
export function encodeFrame(
  header: Header,
  body: Uint8Array | string,
  writeId: (target: Buffer, at: number) => void,
  bodyBytes = byteLength(body),
): Buffer {
  const headerBytes = measureHeader(header);
  if (headerBytes > MAX_HEADER_BYTES)
    throw new RangeError(
      `tag, key, message group and properties take ${headerBytes} bytes, ${MAX_HEADER_BYTES} are allowed`,
    );

  const frame = Buffer.allocUnsafe(headerBytes + bodyBytes);
  const at = writeHeader(frame, 0);
  writeId(frame, ID_AT);
  if (typeof body !== 'string') frame.set(body, at);
  // As many bytes as characters: nothing beyond ASCII, which is copied faster than it is encoded.
  else frame.write(body, at, bodyBytes, bodyBytes === body.length ? 'latin1' : 'utf8');
  return frame;
}

export function byteLength(body: Uint8Array | string): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
}

/** The message id inside a frame, without decoding the rest. */
export function frameMessageId(frame: Buffer): MessageId {
  return formatMessageId(frame, ID_AT);
}

/** Whether a frame is of the message with this id, as 16 bytes. */
export function hasMessageId(frame: Buffer, id: Buffer): boolean {
  return frame.length > FLAGS_AT && frame.compare(id, 0, MESSAGE_ID_BYTES, ID_AT, FLAGS_AT) === 0;
}

/** The message group inside a frame, without the rest. @throws as `decodeMessage`. */
export function messageGroupOf(frame: Buffer): string | undefined {
  const [, key, messageGroup] = decodeHeader(frame).fields;
  return messageGroup === '' ? key : messageGroup;
}

/**
 * A stored frame as a message. Its `bytes` are a part of the frame, not a copy.
 *
 * @throws MalformedMessageError; with `version` when a newer library wrote it.
 */
export function decodeMessage(
  place: { topic: string; queue: number; offset: string },
  frame: Buffer,
): MessageView {
  const { fields, end } = decodeHeader(frame);
  // One by one: a list is taken apart by an iterator, which is asked for each.
  const tag = fields[0];
  const key = fields[1];
  const messageGroup = fields[2];
  const properties = fields[3];
  const traceparent = fields[4];
  const codec = fields[5];
  const ttlMs = fields[6];
  const replyTo = fields[7];
  return {
    messageId: formatMessageId(frame, ID_AT),
    topic: place.topic,
    queue: place.queue,
    offset: place.offset,
    tag,
    key,
    messageGroup: messageGroup === '' ? key : messageGroup,
    properties: properties === undefined ? NO_PROPERTIES : parseProperties(properties),
    bornAt: frame.readUIntBE(ID_AT, 6),
    dedupId: fields[8],
    ttlMs: ttlMs === undefined ? undefined : parseTtl(ttlMs),
    // What is none is left out, as W3C says: what a handler sends would carry it on.
    traceparent: traceparent !== undefined && isTraceparent(traceparent) ? traceparent : undefined,
    tracestate: carriedOf('tracestate', fields[10]),
    baggage: carriedOf('baggage', fields[11]),
    replyTo: replyTo && addressOf(replyTo),
    receiptTo: fields[9] && addressOf(fields[9]),
    codec: codec ?? 'json',
    bytes: frame.subarray(end),
  };
}

function carriedOf(name: 'tracestate' | 'baggage', text: string | undefined): string | undefined {
  return text !== undefined && isCarried(name, text) ? text : undefined;
}

const NO_PROPERTIES: Properties = Object.freeze(Object.create(null) as Properties);
/** Known flags. Fields of higher ones are skipped. */
const KNOWN_FLAGS = 12;

/** The text of each known field, and where the body begins. */
function decodeHeader(frame: Buffer): { fields: readonly (string | undefined)[]; end: number } {
  if (frame.length > 0 && frame[0]! > WIRE_VERSION)
    throw new MalformedMessageError(
      `Wire version ${frame[0]} is newer than ${WIRE_VERSION}, the newest this library reads; update this consumer`,
      { version: frame[0]! },
    );
  if (frame.length <= FLAGS_AT || frame[0] !== WIRE_VERSION)
    throw new MalformedMessageError(`The message (${frame.length} bytes) is none of ours`);
  const cursor = { at: FLAGS_AT };
  const flags = readVarint(frame, cursor);
  if (flags === 0) return { fields: NO_FIELDS, end: cursor.at };
  const fields: (string | undefined)[] = [];
  for (let bit = 0; flags >> bit; bit++) {
    if (!((flags >> bit) & 1)) continue;
    const length = readVarint(frame, cursor);
    const end = cursor.at + length;
    if (end > frame.length) throw new MalformedMessageError('The header ends within a field');
    if (end > MAX_HEADER_BYTES)
      throw new MalformedMessageError(`The header is larger than ${MAX_HEADER_BYTES} bytes`);
    if (bit < KNOWN_FLAGS) fields[bit] = frame.toString('utf8', cursor.at, end);
    cursor.at = end;
  }
  return { fields, end: cursor.at };
}

const NO_FIELDS: readonly undefined[] = [];

/** In the order of the flags. Spelled out: looking each up by its name took longer than the rest of the header. */
function takeTexts(header: Header): void {
  const { key, messageGroup, properties, ttlMs } = header;
  // First: it may run code of the sender, which may send.
  const packed = properties === undefined ? undefined : JSON.stringify(properties);
  texts[0] = header.tag;
  texts[1] = key;
  texts[2] = messageGroup !== undefined && messageGroup === key ? '' : messageGroup;
  texts[3] = packed;
  texts[4] = header.traceparent;
  texts[5] = header.codec;
  texts[6] = ttlMs === undefined ? undefined : String(ttlMs);
  texts[7] = header.replyTo;
  texts[8] = header.dedupId;
  texts[9] = header.receiptTo;
  texts[10] = header.tracestate;
  texts[11] = header.baggage;
}

function parseProperties(text: string): Properties {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw Object.assign(new MalformedMessageError('The properties are no JSON'), { cause: error });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new MalformedMessageError('The properties are no object');
  const properties = Object.create(null) as Record<string, string | number | boolean>;
  for (const [name, value] of Object.entries(parsed))
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      properties[name] = value;
  return properties;
}

/** It becomes part of a key. */
const ADDRESS = /^[\w-]{1,64}$/;

function addressOf(text: string): string {
  if (ADDRESS.test(text)) return text;
  throw new MalformedMessageError('The address for answers is none of ours');
}

function parseTtl(text: string): number {
  const ttlMs = Number(text);
  if (Number.isSafeInteger(ttlMs) && ttlMs > 0) return ttlMs;
  throw new MalformedMessageError('The ttl is no number of milliseconds');
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) size++;
  return size;
}

function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

function readVarint(source: Buffer, cursor: { at: number }): number {
  let value = 0;
  for (let shift = 0; shift <= 21; shift += 7) {
    const byte = source[cursor.at++];
    if (byte === undefined) throw new MalformedMessageError('The header ends within a number');
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw new MalformedMessageError('A number in the header is too large');
}
