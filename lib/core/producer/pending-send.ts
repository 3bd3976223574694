import {
  FlowBlockedError,
  SendFailedError,
  SendOutcomeUnknownError,
  isOutOfMemory,
  StoreRefusedError,
  TopicFullError,
} from '../message/errors.js';
import type { Acks } from '../message/acks.js';
import type { SendResult } from '../message/message.js';
import type { MessageId } from '../message/message-id.js';
import type { AcksReached, AppendEntry, AppendResult } from '../store/message-log.js';
import type { SendRoute } from './send-route.js';
import { levelReached, missedAcks, strongestAcks } from './wanted-acks.js';

/** What is known of a message when it gets its queue. Times are of the monotonic clock. */
export interface SentMessage extends AppendEntry {
  readonly messageId: MessageId;
  readonly topic: string;
  readonly acks: Acks | undefined;
  readonly deadline: number;
  readonly timeoutMs: number;
}

/** One message between `send` and its answer. It is answered exactly once. */
export class PendingSend {
  readonly message: SentMessage;
  /** Where it goes if the topic is looked up again: the message group or queue decides. */
  readonly route: SendRoute;
  answered = false;
  private isDoubtful = false;
  private readonly answer: SendAnswer;

  constructor(options: { message: SentMessage; route: SendRoute; answer: SendAnswer }) {
    this.message = options.message;
    this.route = options.route;
    this.answer = options.answer;
  }

  get messageId(): MessageId {
    return this.message.messageId;
  }

  get topic(): string {
    return this.message.topic;
  }

  /** By the monotonic clock. */
  get deadline(): number {
    return this.message.deadline;
  }

  get timeoutMs(): number {
    return this.message.timeoutMs;
  }

  /** When it was made, by the monotonic clock. */
  get sentAt(): number {
    return this.deadline - this.timeoutMs;
  }

  get bytes(): number {
    return this.message.frame.length;
  }

  /** It is stored; `reached` says how far, if that was asked for. */
  succeed(queue: number, result: AppendResult, reached: AcksReached | undefined): void {
    if (this.answered) return;
    const acks = levelReached(this.message.acks, reached);
    if (acks === undefined) return this.fallShort(queue, reached);
    this.answered = true;
    this.answer.resolve({
      messageId: result.state === 'duplicate' ? result.messageId : this.messageId,
      topic: this.topic,
      queue,
      state:
        result.state === 'scheduled' || (result.state === 'duplicate' && result.offset === null)
          ? 'scheduled'
          : 'stored',
      offset: result.state === 'scheduled' ? null : result.offset,
      // One that finds itself was stored by a try before.
      duplicate: result.state === 'duplicate' && result.messageId !== this.messageId,
      acks,
    });
  }

  private fallShort(queue: number, reached: AcksReached | undefined): void {
    const what = missedAcks(strongestAcks([this.message])!, reached);
    this.fail(
      new SendOutcomeUnknownError(
        `Message ${this.messageId} to topic "${this.topic}" queue ${queue} is stored in the memory of the server, but ${what}: it is delivered unless the server fails now. Sending it again may double it unless both carry the same dedupId.`,
        this,
      ),
    );
  }

  /** A server that failed may have stored and delivered it: from now on nobody can say that it never was. */
  doubt(): void {
    this.isDoubtful = true;
  }

  fail(error: Error): void {
    if (this.answered) return;
    this.answered = true;
    const isCertain = !this.isDoubtful || !(error instanceof SendFailedError);
    this.answer.reject(isCertain ? error : this.doubtful(error));
  }

  private doubtful(cause: SendFailedError): SendOutcomeUnknownError {
    return new SendOutcomeUnknownError(
      `Message ${this.messageId} to topic "${this.topic}" is not stored now, but a server that failed meanwhile may have stored and delivered it. Sending it again may double it unless both carry the same dedupId.`,
      this,
      { cause },
    );
  }

  /** The store refused: nothing was stored. */
  refuse(cause: StoreRefusedError): void {
    const text = `Message ${this.messageId} to topic "${this.topic}" was not stored: ${cause.message}`;
    this.fail(
      isOutOfMemory(cause)
        ? new FlowBlockedError(`${text} The store is out of memory: send again later.`, this, {
            cause,
          })
        : new SendFailedError(text, this, { cause }),
    );
  }

  /** Its queue has no room, and either it must not wait for some or its time is up. */
  refuseFull(queue: number): void {
    this.fail(
      new TopicFullError(
        `Topic "${this.topic}" queue ${queue} is full (its maxLength is reached). Message ${this.messageId} was not stored; consume or raise maxLength, then send again.`,
        this,
      ),
    );
  }

  /** The store answered the call it was in, and not about it. */
  miss(answered: number, asked: number): void {
    this.fail(
      new SendOutcomeUnknownError(
        `The store answered ${answered} of ${asked} messages of a call: message ${this.messageId} to topic "${this.topic}" may be stored. Sending it again may double it unless both carry the same dedupId.`,
        this,
      ),
    );
  }

  /** Time is up. `maybeStored`: the store was asked and did not answer. */
  expire(maybeStored: boolean, cause: unknown): void {
    const options = cause === undefined ? {} : { cause };
    this.fail(
      maybeStored
        ? new SendOutcomeUnknownError(
            `No answer within ${this.timeoutMs} ms: message ${this.messageId} to topic "${this.topic}" may be stored. Sending it again may double it unless both carry the same dedupId.`,
            this,
            options,
          )
        : new SendFailedError(
            `Message ${this.messageId} to topic "${this.topic}" was not stored: the store could not be reached within ${this.timeoutMs} ms. It is safe to send it again.`,
            this,
            options,
          ),
    );
  }
}

export interface SendAnswer {
  resolve(result: SendResult): void;
  reject(error: Error): void;
}
