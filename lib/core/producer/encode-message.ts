import type { Codecs } from '../message/codec.js';
import { InvalidInputError } from '../message/errors.js';
import type { SendOptions } from '../message/message.js';
import { type MessageId, mintMessageId } from '../message/message-id.js';
import { encodeFrame, frameMessageId, type Header } from '../message/wire-format.js';
import type { Clock } from '../runtime/clock.js';
import type { TraceScope } from '../runtime/trace.js';

/** What a sender said about a message. */
export interface Outgoing {
  topic: string;
  body: unknown;
  options: SendOptions;
  system: SystemHeader;
}

/** Set by the library itself, never by a user's options. */
export interface SystemHeader {
  replyTo?: string;
}

/** A message with its id and its bytes, before it has a queue. */
export interface EncodedMessage extends Outgoing {
  frame: Buffer;
  messageId: MessageId;
  timeoutMs: number;
  /** By the monotonic clock. */
  deadline: number;
}

export interface EncodeTools {
  codecs: Codecs;
  clock: Clock;
  trace: TraceScope;
  settings: { maxMessageBytes: number; sendTimeoutMs: number };
}

/** Mint the id and make the bytes. @throws InvalidInputError when they are too many, CodecError when there are none. */
export function encodeMessage(message: Outgoing, tools: EncodeTools): EncodedMessage {
  const { topic, body, options, system } = message;
  const { codecs, clock, settings, trace } = tools;
  const codec = codecs.forBody(body);
  const bytes = codec.encode(body);
  const size = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.byteLength;
  if (size > settings.maxMessageBytes)
    throw new InvalidInputError(`Send to topic "${topic}"`, [
      `the body takes ${size} bytes, maxMessageBytes allows ${settings.maxMessageBytes}; store it elsewhere and send where it is`,
    ]);
  const header: Header = {
    tag: options.tag,
    key: options.key,
    messageGroup: options.messageGroup,
    properties: options.properties,
    traceparent: options.traceparent ?? trace.current(),
    codec: codec.name === 'json' ? undefined : codec.name,
    ttlMs: options.ttlMs,
    replyTo: system.replyTo,
    dedupId: options.dedupId,
  };
  const timeoutMs = options.timeoutMs ?? settings.sendTimeoutMs;
  try {
    const frame = encodeFrame(header, bytes, (target, at) =>
      mintMessageId(target, at, clock.now()),
    );
    const messageId = frameMessageId(frame);
    const deadline = clock.monotonic() + timeoutMs;
    return { topic, body, options, system, frame, messageId, timeoutMs, deadline };
  } catch (error) {
    if (error instanceof RangeError)
      throw new InvalidInputError(`Send to topic "${topic}"`, [error.message]);
    throw error;
  }
}
