import { RivuletError, SendOutcomeUnknownError } from '../message/errors.js';
import type { MessageId } from '../message/message-id.js';

/**
 * A duplicate (`dedupId`) of a message whose answer does not come here: it was answered before, another process sent it, or it
 * was no request. Nothing more was stored, and nothing is run again.
 */
export class DuplicateRequestError extends RivuletError {
  readonly code = 'DUPLICATE_REQUEST';
  /** Of the first one. */
  readonly messageId: MessageId;

  constructor(topic: string, facts: { messageId: MessageId; wasAnswered: boolean }) {
    const { messageId, wasAnswered } = facts;
    const why = wasAnswered
      ? 'it was answered before, if only in part'
      : 'another process sent it, or it was no request';
    super(
      `Request to topic "${topic}" is a duplicate of message ${messageId}, of which no answer comes here: ${why}. Nothing more was stored. Use what the first one was answered, or ask with another dedupId.`,
    );
    this.messageId = messageId;
  }
}

const DEFAULT_MOST = 10_000;

/**
 * Messages of requests with a dedup id that this process has sent: an answer to a duplicate comes here as long as the first
 * one is not answered. Those before the last ten thousand are forgotten, and count as if their answer might come.
 */
export class AskedOnce {
  private readonly most: number;
  /** Whether it was answered, if only in part. */
  private readonly known = new Map<MessageId, boolean>();
  /** The last of what is forgotten: ids of one process are in the order of time. */
  private forgotten: MessageId = '';

  constructor(options: { most?: number } = {}) {
    this.most = options.most ?? DEFAULT_MOST;
  }

  sent(messageId: MessageId): void {
    if (this.known.has(messageId)) return;
    this.known.set(messageId, false);
    if (this.known.size <= this.most) return;
    const [oldest] = this.known.keys();
    this.known.delete(oldest!);
    if (oldest! > this.forgotten) this.forgotten = oldest!;
  }

  /** What nobody knows to be stored may be. */
  failed(error: Error): void {
    if (error instanceof SendOutcomeUnknownError) this.sent(error.messageId);
  }

  answered(messageId: MessageId): void {
    if (this.known.has(messageId)) this.known.set(messageId, true);
  }

  /** Why no answer to a duplicate of it comes here; undefined when one may. */
  problem(topic: string, messageId: MessageId): DuplicateRequestError | undefined {
    const wasAnswered = this.known.get(messageId);
    const mayCome = wasAnswered === undefined ? messageId <= this.forgotten : !wasAnswered;
    if (mayCome) return undefined;
    return new DuplicateRequestError(topic, { messageId, wasAnswered: wasAnswered === true });
  }
}
