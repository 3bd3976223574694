import { MalformedMessageError } from './errors.js';
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
  buffer[0] = VERSION;
  writeMessageId(packet.requestId, buffer, 1);
  buffer.writeUInt32BE(packet.seq, 17);
  buffer[21] = KINDS.indexOf(packet.kind);
  buffer[22] = codecBytes;
  buffer.write(codec, FIXED);
  if (typeof bytes === 'string') buffer.write(bytes, bodyAt);
  else buffer.set(bytes, bodyAt);
  return buffer;
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
