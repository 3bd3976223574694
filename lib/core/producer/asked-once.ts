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

const DEFAULT_LEAST = 10_000;

/**
 * Messages of requests with a dedup id that this process has sent: an answer to a duplicate comes here as long as the first
 * one is not answered. Those before the last ten thousand are forgotten, and count as if their answer might come.
 */
export class AskedOnce {
  private readonly least: number;
  /** Whether each was answered, if only in part. Forgotten as a whole: a map from which one goes for each that comes slows down. */
  private recent = new Map<MessageId, boolean>();
  private older = new Map<MessageId, boolean>();
  /** The last of what is forgotten: ids of one process are in the order of time. */
  private forgotten: MessageId = '';

  constructor(options: { least?: number } = {}) {
    this.least = options.least ?? DEFAULT_LEAST;
  }

  sent(messageId: MessageId): void {
    if (this.wasAnswered(messageId) !== undefined) return;
    this.recent.set(messageId, false);
    if (this.recent.size < this.least) return;
    for (const id of this.older.keys()) if (id > this.forgotten) this.forgotten = id;
    this.older = this.recent;
    this.recent = new Map();
  }

  /** What nobody knows to be stored may be. */
  failed(error: Error): void {
    if (error instanceof SendOutcomeUnknownError) this.sent(error.messageId);
  }

  answered(messageId: MessageId): void {
    for (const some of [this.recent, this.older])
      if (some.has(messageId)) some.set(messageId, true);
  }

  /** Why no answer to a duplicate of it comes here; undefined when one may. */
  problem(topic: string, messageId: MessageId): DuplicateRequestError | undefined {
    const wasAnswered = this.wasAnswered(messageId);
    const mayCome = wasAnswered === undefined ? messageId <= this.forgotten : !wasAnswered;
    if (mayCome) return undefined;
    return new DuplicateRequestError(topic, { messageId, wasAnswered: wasAnswered === true });
  }

  private wasAnswered(messageId: MessageId): boolean | undefined {
    return this.recent.get(messageId) ?? this.older.get(messageId);
  }
}
