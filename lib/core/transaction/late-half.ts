import { SendFailedError, TopicFullError } from '../message/errors.js';
import { frameMessageId } from '../message/wire-format.js';
import type { TopicDirectory } from '../producer/topic-directory.js';
import type { Availability } from '../store/stores.js';
import { BrokerUnavailableError } from './errors.js';
import type { HalfSender } from './half-sender.js';
import { type KeptMessage, placed, type QueueRun, runsOf } from './kept-message.js';
import type { Outbox } from './outbox.js';
import type { TransactionParticipant } from './participant.js';
import type { Publisher, TransactionFacts } from './publisher.js';
import type { TransactionSettings } from './transaction-settings.js';

export interface LateHalfTools {
  sender: HalfSender;
  publisher: Publisher;
  outbox: Outbox;
  topics: TopicDirectory;
  availability: Availability;
  settings: TransactionSettings;
}

export interface LateHalfOptions {
  facts: TransactionFacts;
  messages: readonly KeptMessage[];
  participant: TransactionParticipant;
  /** Unix ms. */
  deadline: number;
  tools: LateHalfTools;
}

/**
 * The messages of one transaction, from the end of its body to their delivery.
 *
 * `place` before COMMIT; afterwards either `deliver` or, when COMMIT was never sent, `abandon`. When nobody knows, neither:
 * the back-check and the relay see to it.
 */
export class LateHalf {
  private readonly options: LateHalfOptions;
  /** Whether a row of the outbox shares the fate of the transaction. */
  private isInOutbox = false;
  /** What the store was asked to keep. */
  private asked: QueueRun[] = [];

  constructor(options: LateHalfOptions) {
    this.options = options;
  }

  /**
   * The marker as the last statement, while the store takes the messages. Both, or the messages in the outbox, are
   * acknowledged when this resolves.
   *
   * @throws whatever must keep the transaction from being committed.
   */
  async place(tx: unknown): Promise<void> {
    const { participant, facts, deadline, tools } = this.options;
    const marker = { id: facts.id, deadline };
    const { store, whenBrokerDown } = tools.settings;
    if (store === 'outbox' || (whenBrokerDown === 'outbox' && !tools.availability.ready)) {
      await this.keepInDatabase(tx);
      return participant.mark(tx, marker);
    }
    // Both at once, and both have ended before anything else is done with the transaction.
    const stored = this.prepareAll().then(
      () => undefined,
      (error: Error) => error,
    );
    try {
      await participant.mark(tx, marker);
    } catch (error) {
      await stored;
      throw error;
    }
    const refused = await stored;
    if (refused) await this.fallBack(tx, refused);
  }

  /** The database committed. Rejects when others have to complete it, which they will. */
  async deliver(): Promise<void> {
    const { facts, participant, messages, tools } = this.options;
    if (this.isInOutbox) return tools.outbox.publish(participant, facts, messages);
    const [only] = this.asked;
    if (only && this.asked.length === 1) return tools.publisher.commit(facts, only);
    const ends = await Promise.allSettled(
      this.asked.map((run) => tools.publisher.commit(facts, run)),
    );
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** COMMIT was not sent: what the store may have taken is dropped, also what arrives there later. Best effort. */
  async abandon(): Promise<void> {
    const { facts, tools } = this.options;
    const { sender, publisher } = tools;
    await Promise.allSettled(
      this.asked.map((run) => sender.rollback(publisher.place(facts, run), facts.id)),
    );
  }

  private async prepareAll(): Promise<void> {
    const { facts, messages } = this.options;
    const homeless = messages.find(({ place }) => !place);
    if (homeless)
      throw new SendFailedError(`topic "${homeless.topic}" could not be looked up`, {
        topic: homeless.topic,
        messageId: frameMessageId(homeless.entry.frame),
      });
    const runs = runsOf(messages);
    if (runs.length === 1) return this.prepare(runs[0]!, facts);
    await Promise.all(runs.map((run) => this.prepare(run, facts)));
  }

  private async prepare(run: QueueRun, facts: TransactionFacts, isAnew = false): Promise<void> {
    const { sender, publisher, topics, settings } = this.options.tools;
    this.asked.push(run);
    const reply = await sender.prepare(publisher.place(facts, run), publisher.half(facts, run), {
      timeoutMs: settings.halfTimeoutMs,
    });
    if (reply.state === 'prepared') return;
    const { topic, queue } = run;
    const about = { topic, messageId: frameMessageId(run.messages[0]!.entry.frame) };
    if (reply.state === 'full')
      throw new TopicFullError(
        `Topic "${topic}" queue ${queue} is full (its maxLength is reached). Transaction ${facts.id} was rolled back; consume or raise maxLength, then repeat it.`,
        about,
      );
    if (reply.state !== 'moved' || isAnew)
      throw new SendFailedError(`the store answered "${reply.state}" for ${topic}/${queue}`, about);
    this.asked.splice(this.asked.indexOf(run), 1);
    const info = await topics.refresh(topic);
    const anew = runsOf(run.messages.map((message) => placed(message, info, facts.id)));
    await Promise.all(anew.map((moved) => this.prepare(moved, facts, true)));
  }

  /** The store did not take all of it: the transaction is still open, and its messages can wait in the database. */
  private async fallBack(tx: unknown, error: Error): Promise<void> {
    if (error instanceof TopicFullError) throw error;
    const { facts, tools } = this.options;
    if (tools.settings.whenBrokerDown === 'fail')
      throw new BrokerUnavailableError(facts.id, error.message, { cause: error });
    await this.keepInDatabase(tx);
  }

  private async keepInDatabase(tx: unknown): Promise<void> {
    const { participant, facts, messages, tools } = this.options;
    await tools.outbox.keep({ participant, tx, facts, messages });
    this.isInOutbox = true;
  }
}
