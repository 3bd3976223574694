import type { AcksLevel } from '../message/acks.js';
import { AcksMissedError, RivuletError, StoreUnavailableError } from '../message/errors.js';
import type { SendResult } from '../message/message.js';
import type { MessageId } from '../message/message-id.js';
import { messageIdOf } from '../message/frame.js';
import { levelOf } from '../producer/wanted-acks.js';
import type { AppendResult } from '../store/message-log.js';
import type { HalfSender } from './half-sender.js';
import type { QueueRun } from './kept-message.js';
import type { TransactionId } from '../store/half-message-store.js';
import type { Publisher } from './publisher.js';
import type { TransactionFacts } from './transaction-facts.js';

/** Somebody else decided first: a check method, or an operator. That decision stands. */
export class AlreadyDecidedError extends RivuletError {
  readonly code = 'ALREADY_DECIDED';
  readonly transactionId: TransactionId;
  readonly decision: 'commit' | 'rollback';

  constructor(id: TransactionId, decision: 'commit' | 'rollback') {
    super(
      decision === 'rollback'
        ? `The message of transaction ${id} was rolled back before its commit, by its check method or an operator. It is not delivered, whatever the local transaction did.`
        : `The message of transaction ${id} was committed before its rollback, by its check method or an operator. It is delivered.`,
    );
    this.transactionId = id;
    this.decision = decision;
  }
}

/**
 * A half message: stored, invisible, and decided by whoever holds this.
 *
 * When the holder dies, its check method is asked. A decision is final; the same one may be repeated.
 */
export class PreparedMessage {
  readonly transactionId: TransactionId;
  readonly messageId: MessageId;
  readonly topic: string;
  readonly queue: number;
  private readonly facts: TransactionFacts;
  private readonly run: QueueRun;
  private readonly tools: { sender: HalfSender; publisher: Publisher };

  constructor(
    facts: TransactionFacts,
    run: QueueRun,
    tools: { sender: HalfSender; publisher: Publisher },
  ) {
    this.facts = facts;
    this.run = run;
    this.tools = tools;
    this.transactionId = facts.id;
    this.messageId = messageIdOf(run.messages[0]!.entry.frame);
    this.topic = run.topic;
    this.queue = run.queue;
  }

  /**
   * Make the message visible. Safe to repeat: it stays at its first offset.
   *
   * @throws AlreadyDecidedError when it was rolled back; StoreUnavailableError when it is not known whether it is visible:
   *   repeat it, or leave it to the check method. AcksMissedError when it is visible, and the message's `acks` were not reached:
   *   if the server fails now, the half comes back and its check method is asked.
   */
  async commit(): Promise<SendResult> {
    const { sender, publisher } = this.tools;
    const reply = await sender
      .commit(publisher.place(this.facts, this.run), {
        id: this.transactionId,
        entries: this.run.entries,
        acks: this.run.acks,
      })
      .catch((error: Error) => {
        throw error instanceof AcksMissedError ? this.fellShort(error) : error;
      });
    if (reply.state === 'rolled-back')
      throw new AlreadyDecidedError(this.transactionId, 'rollback');
    if (reply.state === 'unknown')
      throw new StoreUnavailableError(
        `The store does not know the message of transaction ${this.transactionId} any more: it was decided more than a day ago, or the store lost it.`,
      );
    publisher.tell(this.run, reply.results);
    const { topic, queue, messageId, run } = this;
    const acks = levelOf(run.messages[0]!.acks);
    return sendResult({ topic, queue, messageId, acks }, reply.results[0]!);
  }

  /** Drop the message. Safe to repeat. @throws as `commit`. */
  async rollback(): Promise<void> {
    const { sender, publisher } = this.tools;
    const place = publisher.place(this.facts, this.run);
    const reply = await sender.rollback(place, this.transactionId);
    if (reply.state === 'committed') throw new AlreadyDecidedError(this.transactionId, 'commit');
  }

  private fellShort(cause: AcksMissedError): AcksMissedError {
    const { missed } = cause;
    return new AcksMissedError(
      `The message of transaction ${this.transactionId} to topic "${this.topic}" queue ${this.queue} is visible, but ${missed}. If the server fails now, its half message comes back and the check method is asked. Commit it again to wait longer, or leave it at that.`,
      { missed },
      { cause },
    );
  }

  /** @internal Nobody is asked about it before so much time has passed. */
  async extend(afterMs: number): Promise<void> {
    const { sender, publisher } = this.tools;
    await sender.extend(publisher.place(this.facts, this.run), this.transactionId, afterMs);
  }
}

/** What `send` would have answered about a message of a half that is visible now. */
export function sendResult(
  about: { topic: string; queue: number; messageId: MessageId; acks: AcksLevel },
  appended: AppendResult,
): SendResult {
  const { topic, queue, messageId, acks } = about;
  const isDuplicate = appended.state === 'duplicate';
  const offset = appended.state === 'stored' || isDuplicate ? appended.offset : null;
  return {
    messageId: isDuplicate ? appended.messageId : messageId,
    topic,
    queue,
    state: offset === null ? 'scheduled' : 'stored',
    offset,
    duplicate: isDuplicate,
    acks,
  };
}
