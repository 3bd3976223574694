import type { Acks } from '../message/acks.js';
import { aboutMessage, type Codec, encodeBody } from '../message/codec.js';
import { type Codecs, isPlainCodec } from '../message/codecs.js';
import { InvalidInputError } from '../message/errors.js';
import type { SendOptions } from '../message/message.js';
import {
  MESSAGE_ID_BYTES,
  formatMessageId,
  type MessageId,
  mintMessageId,
} from '../message/message-id.js';
import { byteLength, encodeFrame, type Header, NO_HEADER } from '../message/wire-format.js';
import { type Frame, jsonFrame, messageIdOf } from '../message/frame.js';
import { jsonCodec } from '../message/json-codec.js';
import { saysNothing } from '../message/options.js';
import type { Clock } from '../runtime/clock.js';
import type { TraceScope } from '../runtime/trace.js';
import type { AppendEntry } from '../store/message-log.js';

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
  receiptTo?: string;
}

export const NO_SYSTEM: SystemHeader = {};

/**
 * A message with its id and its bytes, before it has a queue.
 *
 * A class, not a literal, as everything that lives from a send to its confirm: when literals happen to live through
 * the first collections, V8 makes them in the old generation from then on, and each send costs half as much again.
 */
export class EncodedMessage implements Outgoing, AppendEntry {
  readonly topic: string;
  readonly body: unknown;
  readonly options: SendOptions;
  readonly system: SystemHeader;
  readonly frame: Frame;
  readonly due: AppendEntry['due'];
  readonly dedupId: string | undefined;
  readonly acks: Acks;
  readonly timeoutMs: number;
  /** By the monotonic clock. */
  readonly deadline: number;
  private id: MessageId | undefined = undefined;

  constructor(
    outgoing: Outgoing,
    made: { frame: Frame; acks: Acks; timeoutMs: number; deadline: number },
  ) {
    const { options } = outgoing;
    this.topic = outgoing.topic;
    // A selector may want it once the topic is known; nobody else does.
    this.body = options.queueSelector && outgoing.body;
    this.options = options;
    this.system = outgoing.system;
    this.frame = made.frame;
    this.due = dueOf(options);
    this.dedupId = options.dedupId;
    this.acks = made.acks;
    this.timeoutMs = made.timeoutMs;
    this.deadline = made.deadline;
  }

  /** Made of the frame when somebody asks for it, which mostly is when the message is on its way. */
  get messageId(): MessageId {
    return (this.id ??= messageIdOf(this.frame));
  }
}

function dueOf({ delayMs, deliverAt }: SendOptions): AppendEntry['due'] {
  return delayMs ? { delayMs } : deliverAt && { at: deliverAt.getTime() };
}

export interface EncodeTools {
  codecs: Codecs;
  clock: Clock;
  trace: TraceScope;
  settings: { maxMessageBytes: number; sendTimeoutMs: number; acks: Acks };
}

/** Mint the id and make the bytes. @throws InvalidInputError when they are too many, CodecError when there are none. */
export function encodeMessage(message: Outgoing, tools: EncodeTools): EncodedMessage {
  const { body, options } = message;
  const { codecs, clock, settings, trace } = tools;
  const codec = codecs.forBody(body);
  const header = headerOf(message, codec, trace);
  const inPool =
    codec === jsonCodec
      ? jsonFrame(header, body, { now: clock.now(), mostBytes: settings.maxMessageBytes })
      : undefined;
  const timeoutMs = options.timeoutMs ?? settings.sendTimeoutMs;
  return new EncodedMessage(message, {
    frame: inPool ?? frameOf(message, header, { codec, clock, settings }),
    acks: options.acks ?? settings.acks,
    timeoutMs,
    deadline: clock.monotonic() + timeoutMs,
  });
}

function frameOf(
  message: Outgoing,
  header: Header,
  { codec, clock, settings }: { codec: Codec } & Pick<EncodeTools, 'clock' | 'settings'>,
): Buffer {
  const { topic } = message;
  // One that binds the body to its message has to know the id before there is a frame.
  const id = isPlainCodec(codec) ? undefined : mintId(clock);
  const bytes = bytesOf(message, codec, id);
  const size = byteLength(bytes);
  if (size > settings.maxMessageBytes)
    throw new InvalidInputError(`Send to topic "${topic}"`, [
      `the body takes ${size} bytes, maxMessageBytes allows ${settings.maxMessageBytes}; store it elsewhere and send where it is`,
    ]);
  try {
    return frameThatFits(header, bytes, id ? writerOf(id) : mintIdBy(clock), size);
  } catch (error) {
    if (error instanceof RangeError)
      throw new InvalidInputError(`Send to topic "${topic}"`, [error.message]);
    throw error;
  }
}

function bytesOf(
  { topic, body }: Outgoing,
  codec: Codec,
  id: Buffer | undefined,
): Uint8Array | string {
  try {
    if (isPlainCodec(codec)) return codec.encode(body);
    return encodeBody(codec, body, { kind: 'message', topic, messageId: formatMessageId(id!) });
  } catch (error) {
    throw aboutMessage(
      error,
      { topic },
      (text) => `Send to topic "${topic}": ${text}. Nothing was done.`,
    );
  }
}

function headerOf({ options, system }: Outgoing, codec: Codec, trace: TraceScope): Header {
  const from = options.traceparent === undefined ? trace.current() : options;
  const isJson = codec.name === 'json';
  if (isJson && from === undefined && system === NO_SYSTEM && saysNothing(options))
    return NO_HEADER;
  return {
    tag: options.tag,
    key: options.key,
    messageGroup: options.messageGroup,
    properties: options.properties,
    traceparent: from?.traceparent,
    tracestate: from?.tracestate,
    baggage: from?.baggage,
    codec: isJson ? undefined : codec.name,
    ttlMs: options.ttlMs,
    replyTo: system.replyTo,
    receiptTo: system.receiptTo,
    dedupId: options.dedupId,
  };
}

/** A trace is not what a message fails for: baggage that finds no room stays behind. */
function frameThatFits(
  header: Header,
  body: Uint8Array | string,
  writeId: WriteId,
  bytes: number,
): Buffer {
  try {
    return encodeFrame(header, body, writeId, bytes);
  } catch (error) {
    if (!(error instanceof RangeError) || header.baggage === undefined) throw error;
    return encodeFrame({ ...header, baggage: undefined }, body, writeId, bytes);
  }
}

type WriteId = Parameters<typeof encodeFrame>[2];

/** One function for each clock: one for each message would outnumber them. */
const byClock = new WeakMap<Clock, WriteId>();

function mintIdBy(clock: Clock): WriteId {
  let write = byClock.get(clock);
  if (!write) byClock.set(clock, (write = (target, at) => mintMessageId(target, at, clock.now())));
  return write;
}

function mintId(clock: Clock): Buffer {
  const id = Buffer.allocUnsafe(MESSAGE_ID_BYTES);
  mintMessageId(id, 0, clock.now());
  return id;
}

function writerOf(id: Buffer): WriteId {
  return (target, at) => void id.copy(target, at);
}
