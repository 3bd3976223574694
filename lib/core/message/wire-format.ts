import { MalformedMessageError } from './errors.js';
import type { MessageView, Properties } from './message.js';
import { formatMessageId, MESSAGE_ID_BYTES, type MessageId } from './message-id.js';

/**
 * A message as bytes: one packed header and the body.
 *
 *   header  version (1 byte = 1) · message id (16) · flags (unsigned varint) · fields
 *   fields  one for each set flag, lowest bit first: length (varint) · UTF-8 text
 *   frame   length of the header (4, big endian) · length of the body (4) · header · body
 *
 * Every field carries its length, so a reader skips flags it does not know: additions need no new version. A new
 * version is for what an old reader would get wrong; it holds such messages instead of guessing.
 */
export const WIRE_VERSION = 1;

/** Largest header: it is parsed before anything about the message is known. */
export const MAX_HEADER_BYTES = 16 * 1024;

const FIELDS = [
  'tag',
  'key',
  'messageGroup',
  'properties',
  'traceparent',
  'codec',
  'ttlMs',
  'replyTo',
  'dedupId',
] as const;
type Field = (typeof FIELDS)[number];
type TextOfEach<Names extends readonly Field[]> = {
  [Place in keyof Names]: string | undefined;
};

/** What a header says. Absent fields cost no byte. */
export interface Header {
  tag?: string | undefined;
  key?: string | undefined;
  messageGroup?: string | undefined;
  properties?: Properties | undefined;
  traceparent?: string | undefined;
  /** Left out for JSON. */
  codec?: string | undefined;
  ttlMs?: number | undefined;
  replyTo?: string | undefined;
  dedupId?: string | undefined;
}

const FRAME_LENGTHS = 8;
const ID_AT = 1;
const FLAGS_AT = ID_AT + MESSAGE_ID_BYTES;

/**
 * Header and body in one buffer. `writeId` puts the 16 bytes of the message id in place.
 *
 * @throws RangeError when the header exceeds 16 KiB.
 */
export function encodeFrame(
  header: Header,
  body: Uint8Array | string,
  writeId: (target: Buffer, at: number) => void,
): Buffer {
  const texts: string[] = [];
  const lengths: number[] = [];
  let flags = 0;
  let fieldBytes = 0;
  const fields = fieldTexts(header);
  for (let bit = 0; bit < fields.length; bit++) {
    const text = fields[bit];
    if (text === undefined) continue;
    const length = Buffer.byteLength(text);
    flags |= 1 << bit;
    texts.push(text);
    lengths.push(length);
    fieldBytes += varintSize(length) + length;
  }
  const headerBytes = FLAGS_AT + varintSize(flags) + fieldBytes;
  if (headerBytes > MAX_HEADER_BYTES)
    throw new RangeError(
      `tag, key, message group and properties take ${headerBytes} bytes, ${MAX_HEADER_BYTES} are allowed`,
    );
  const bodyBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;

  const frame = Buffer.allocUnsafe(FRAME_LENGTHS + headerBytes + bodyBytes);
  frame.writeUInt32BE(headerBytes, 0);
  frame.writeUInt32BE(bodyBytes, 4);
  frame[FRAME_LENGTHS] = WIRE_VERSION;
  writeId(frame, FRAME_LENGTHS + ID_AT);
  let at = writeVarint(frame, FRAME_LENGTHS + FLAGS_AT, flags);
  for (let i = 0; i < texts.length; i++) {
    at = writeVarint(frame, at, lengths[i]!);
    at += frame.write(texts[i]!, at, 'utf8');
  }
  if (typeof body === 'string') frame.write(body, at, 'utf8');
  else frame.set(body, at);
  return frame;
}

/** The message id inside a frame. */
export function frameMessageId(frame: Buffer): MessageId {
  return formatMessageId(frame, FRAME_LENGTHS + ID_AT);
}

export function splitFrame(frame: Buffer): { header: Buffer; body: Buffer } {
  const headerBytes = frame.readUInt32BE(0);
  const end = FRAME_LENGTHS + headerBytes;
  return {
    header: frame.subarray(FRAME_LENGTHS, end),
    body: frame.subarray(end, end + frame.readUInt32BE(4)),
  };
}

/**
 * A stored entry as a message.
 *
 * @throws MalformedMessageError; with `version` when a newer library wrote it.
 */
export function decodeMessage(
  place: { topic: string; queue: number; offset: string },
  header: Buffer,
  body: Buffer,
): MessageView {
  const fields = decodeHeader(header);
  const messageId = formatMessageId(header, ID_AT);
  return {
    messageId,
    topic: place.topic,
    queue: place.queue,
    offset: place.offset,
    tag: fields.tag,
    key: fields.key,
    messageGroup: fields.messageGroup,
    properties:
      fields.properties === undefined ? NO_PROPERTIES : parseProperties(fields.properties),
    bornAt: header.readUIntBE(ID_AT, 6),
    dedupId: fields.dedupId,
    ttlMs: fields.ttlMs === undefined ? undefined : Number(fields.ttlMs),
    traceparent: fields.traceparent,
    replyTo: fields.replyTo,
    codec: fields.codec ?? 'json',
    bytes: body,
  };
}

const NO_PROPERTIES: Properties = Object.freeze(Object.create(null) as Properties);

function decodeHeader(header: Buffer): Partial<Record<Field, string>> {
  if (header.length > 0 && header[0]! > WIRE_VERSION)
    throw new MalformedMessageError(
      `Wire version ${header[0]} is newer than ${WIRE_VERSION}, the newest this library reads; update this consumer`,
      { version: header[0]! },
    );
  if (header.length <= FLAGS_AT || header[0] !== WIRE_VERSION)
    throw new MalformedMessageError(`The header (${header.length} bytes) is none of ours`);
  const cursor = { at: FLAGS_AT };
  const flags = readVarint(header, cursor);
  const fields: Partial<Record<Field, string>> = {};
  for (let bit = 0; flags >> bit; bit++) {
    if (!((flags >> bit) & 1)) continue;
    const length = readVarint(header, cursor);
    const end = cursor.at + length;
    if (end > header.length) throw new MalformedMessageError('The header ends within a field');
    const field = FIELDS[bit];
    if (field) fields[field] = header.toString('utf8', cursor.at, end);
    cursor.at = end;
  }
  return fields;
}

/** In the order of FIELDS. Spelled out: looking each up by its name took longer than the rest of the header. */
function fieldTexts(header: Header): TextOfEach<typeof FIELDS> {
  const { properties, ttlMs } = header;
  return [
    header.tag,
    header.key,
    header.messageGroup,
    properties === undefined ? undefined : JSON.stringify(properties),
    header.traceparent,
    header.codec,
    ttlMs === undefined ? undefined : String(ttlMs),
    header.replyTo,
    header.dedupId,
  ];
}

function parseProperties(text: string): Properties {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw Object.assign(new MalformedMessageError('The properties are no JSON'), { cause: error });
  }
  const properties = Object.create(null) as Record<string, string | number | boolean>;
  for (const [name, value] of Object.entries(parsed ?? {}))
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      properties[name] = value;
  return properties;
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
