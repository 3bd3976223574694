import {
  formatMessageId,
  MESSAGE_ID_BYTES,
  type MessageId,
  stampId,
  writeMessageId,
  writeStampedId,
} from './message-id.js';
import { frameMessageId, ID_AT, WIRE_VERSION, writeText } from './wire-format.js';

/** The bytes of a message on its way to a store, to be copied where they are wanted. */
export type Frame = Buffer | TextFrame;

/** No flag is set: nothing is said about the message. */
const NO_FLAGS = 0;
const BODY_AT = ID_AT + MESSAGE_ID_BYTES + 1;

/**
 * The frame of a body that is text, of a message about which nothing is said. It is written where it is copied to first, which
 * mostly is the call that takes it to the store: a buffer of its own for each was a tenth of what a send costs (decision 34).
 * Its place among the ids is taken at once; the random part of its id is drawn by the first copy, or by who asks for the id.
 */
export class TextFrame {
  readonly length: number;
  private readonly text: string;
  private readonly mintedAt: number;
  private readonly count: number;
  /** If it was asked for before it was written. */
  private id: MessageId | undefined = undefined;
  /** Where it was written first, from `at` on. */
  private written: Buffer | undefined = undefined;
  private at = 0;

  /** @param options.bytes how many the text takes in UTF-8. @param options.now Unix ms. */
  constructor(options: { text: string; bytes: number; now: number }) {
    const { ms, count } = stampId(options.now);
    this.length = BODY_AT + options.bytes;
    this.text = options.text;
    this.mintedAt = ms;
    this.count = count;
  }

  get messageId(): MessageId {
    return this.written
      ? formatMessageId(this.written, this.at + ID_AT)
      : (this.id ??= this.drawId());
  }

  /** As of a buffer. Safe to repeat: the same bytes each time. */
  copy(target: Buffer, at: number): void {
    if (this.written) {
      this.written.copy(target, at, this.at, this.at + this.length);
      return;
    }
    target[at] = WIRE_VERSION;
    if (this.id === undefined) writeStampedId(target, at + ID_AT, this.mintedAt, this.count);
    else writeMessageId(this.id, target, at + ID_AT);
    target[at + BODY_AT - 1] = NO_FLAGS;
    writeText(target, at + BODY_AT, this.text, this.length - BODY_AT);
    this.written = target;
    this.at = at;
  }

  private drawId(): MessageId {
    writeStampedId(drawn, 0, this.mintedAt, this.count);
    return formatMessageId(drawn);
  }
}

/** Read out at once. */
const drawn = Buffer.alloc(MESSAGE_ID_BYTES);

/** A copy of its own. */
export function bytesOf(frame: Frame): Buffer {
  const bytes = Buffer.allocUnsafe(frame.length);
  frame.copy(bytes, 0);
  return bytes;
}

export function messageIdOf(frame: Frame): MessageId {
  return frame instanceof TextFrame ? frame.messageId : frameMessageId(frame);
}
