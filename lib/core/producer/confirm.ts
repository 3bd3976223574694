import { SendFailedError } from '../message/errors.js';
import type { SendResult } from '../message/message.js';
import type { Frame } from '../message/frame.js';
import type { MessageId } from '../message/message-id.js';
import type { Events } from '../runtime/events.js';
import type { SendAnswer } from './pending-send.js';
import type { SendBuffer } from './send-buffer.js';

/** What follows from the answer to a send: its room is free again, listeners hear of it, and whoever waits for it. */
export class Confirm implements SendAnswer {
  private readonly message: { topic: string; messageId: MessageId; frame: Frame };
  private readonly key: string | undefined;
  private readonly buffer: SendBuffer;
  private readonly events: Events;
  private readonly answer: SendAnswer;

  constructor(options: {
    message: { topic: string; messageId: MessageId; frame: Frame };
    key: string | undefined;
    buffer: SendBuffer;
    events: Events;
    answer: SendAnswer;
  }) {
    this.message = options.message;
    this.key = options.key;
    this.buffer = options.buffer;
    this.events = options.events;
    this.answer = options.answer;
  }

  resolve(result: SendResult): void {
    this.buffer.give(this.message.frame.length);
    if (this.events.heard('published')) {
      const { topic, queue, messageId, state } = result;
      this.events.emit('published', { topic, queue, messageId, key: this.key, state });
    }
    this.answer.resolve(result);
  }

  reject(error: Error): void {
    this.buffer.give(this.message.frame.length);
    this.refuse(error);
  }

  /** As `reject`, for a send that never had room. */
  refuse(error: Error): void {
    publishFailed(this.events, this.message, error);
    this.answer.reject(error);
  }
}

/** For whoever was given a promise. */
export class PromisedAnswer implements SendAnswer {
  readonly resolve: (result: SendResult) => void;
  readonly reject: (error: Error) => void;

  constructor(resolve: (result: SendResult) => void, reject: (error: Error) => void) {
    this.resolve = resolve;
    this.reject = reject;
  }
}

export function publishFailed(
  events: Events,
  { topic, messageId }: { topic: string; messageId: MessageId },
  error: Error,
): void {
  const outcome = error instanceof SendFailedError ? 'failed' : 'unknown';
  events.emit('publish-failed', { topic, messageId, outcome, error });
}
