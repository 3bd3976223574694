import { MalformedMessageError } from './errors.js';
import { NO_ROOM, writeJson } from './json-bytes.js';
import { JsonTries } from './json-tries.js';
import { formatMessageId, MESSAGE_ID_BYTES, type MessageId, writeMessageId } from './message-id.js';

/**
 * One step of the answer to a request. `seq` counts from 0, so that the steps of a handler that ran twice are
 * recognised: whoever waits takes each number once.
 */
export interface ReplyPacket {
  /** Message id of the request. */
  requestId: MessageId;
  seq: number;
  kind: ReplyKind;
  codec: string;
  bytes: Buffer;
}

/** `last-value` is a value and the end in one. `error` ends the answer, too. */
export type ReplyKind = 'value' | 'last-value' | 'error' | 'end';

const KINDS: readonly ReplyKind[] = ['value', 'last-value', 'error', 'end'];
const VERSION = 1;
const JSON_NAME = Buffer.from('json').readUInt32BE();
const FIXED = 1 + MESSAGE_ID_BYTES + 4 + 1 + 1;

/** version (1) · request id (16) · seq (4) · kind (1) · length of codec (1) · codec · body */
export function encodeReply(
  packet: Omit<ReplyPacket, 'bytes'> & { bytes: Uint8Array | string },
): Buffer {
  const { codec, bytes } = packet;
  const codecBytes = Buffer.byteLength(codec);
  const bodyAt = FIXED + codecBytes;
  const size = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.byteLength;
  const buffer = Buffer.allocUnsafe(bodyAt + size);
  writeStep(buffer, packet);
  buffer[22] = codecBytes;
  buffer.write(codec, FIXED);
  if (typeof bytes === 'string') buffer.write(bytes, bodyAt);
  else buffer.set(bytes, bodyAt);
  return buffer;
}

type Step = Omit<ReplyPacket, 'codec' | 'bytes'>;

const JSON_LENGTH = 4;
const JSON_BODY_AT = FIXED + JSON_LENGTH;
/** Written here before it is known how long it is; what finds no room is left to the codec. */
const draft = Buffer.allocUnsafeSlow(4 * 1024);
const tries = new JsonTries();

/**
 * With `body` as JSON, the bytes that `encodeReply` would make of what the codec makes.
 *
 * @param mostBytes of the body.
 * @returns nothing where it is large, or one shortly before was, within a getter of another body, or where it needs a closer look
 * (`writeJson`): the codec makes it, or says why it cannot be made.
 */
export function jsonReply(step: Step, body: unknown, mostBytes: number): Buffer | undefined {
  if (!tries.begin()) return undefined;
  try {
    const limit = Math.min(JSON_BODY_AT + mostBytes, draft.length);
    const end = writeJson(body, draft, JSON_BODY_AT, limit);
    if (end === NO_ROOM) tries.foundNoRoom();
    if (end < 0) return undefined;
    writeStep(draft, step);
    draft[22] = JSON_LENGTH;
    draft.writeUInt32BE(JSON_NAME, FIXED);
    const packet = Buffer.allocUnsafe(end);
    draft.copy(packet, 0, 0, end);
    return packet;
  } catch {
    // A getter threw: so it will for the codec, which says so.
    return undefined;
  } finally {
    tries.end();
  }
}

function writeStep(target: Buffer, { requestId, seq, kind }: Step): void {
  target[0] = VERSION;
  writeMessageId(requestId, target, 1);
  target.writeUInt32BE(seq, 17);
  target[21] = KINDS.indexOf(kind);
}

/** @throws MalformedMessageError */
export function decodeReply(buffer: Buffer): ReplyPacket {
  const kind = KINDS[buffer[21] ?? KINDS.length];
  const bodyAt = FIXED + (buffer[22] ?? 0);
  if (buffer[0] !== VERSION || kind === undefined || buffer.length < bodyAt)
    throw new MalformedMessageError(`A reply of ${buffer.length} bytes is none of ours`);
  return {
    requestId: formatMessageId(buffer, 1),
    seq: buffer.readUInt32BE(17),
    kind,
    codec: isJson(buffer, bodyAt) ? 'json' : buffer.toString('utf8', FIXED, bodyAt),
    bytes: buffer.subarray(bodyAt),
  };
}

/** What nearly all of them are need not become a new text each time. */
function isJson(buffer: Buffer, bodyAt: number): boolean {
  return bodyAt === FIXED + 4 && buffer.readUInt32BE(FIXED) === JSON_NAME;
}
