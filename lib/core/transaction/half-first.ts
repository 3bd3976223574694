import {
  AcksMissedError,
  isAway,
  SendFailedError,
  TopicFullError,
  whyNotKept,
} from '../message/errors.js';
import type { SendOptions } from '../message/message.js';
import type { TopicName } from '../message/topic.js';
import { messageIdOf } from '../message/frame.js';
import type { Producer } from '../producer/producer.js';
import type { TopicDirectory } from '../producer/topic-directory.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { Loop } from '../runtime/loop.js';
import type { CheckMethods } from './check-methods.js';
import type { HalfOwner } from './half-owner.js';
import type { HalfRoom } from './half-room.js';
import type { HalfPlace } from './half-place.js';
import type { HalfSender } from './half-sender.js';
import { HeldMessage, type KeptMessage, placed, type QueueRun, runsOf } from './kept-message.js';
import type { PrepareReply, TransactionId } from '../store/half-message-store.js';
import { AlreadyDecidedError, PreparedMessage } from './prepared-message.js';
import type { Publisher } from './publisher.js';
import { mintTransactionId, type TransactionFacts } from './transaction-facts.js';
import type { TransactionSettings } from './transaction-settings.js';

/** The message of a transaction without a database. */
export interface PrepareOptions extends Omit<SendOptions, 'transaction'> {
  /** Of the transaction: its check method has the same one. */
  name: string;
}

/** How often a topic may change under a message. */
const MOST_MOVES = 3;

export interface HalfFirstOptions {
  producer: Pick<Producer, 'outgoing'>;
  sender: HalfSender;
  room: HalfRoom;
  publisher: Publisher;
  topics: TopicDirectory;
  checks: CheckMethods;
  clock: Clock;
  settings: TransactionSettings;
  sendTimeoutMs: number;
  logger: Logger;
  /** Hears of every renewal that failed, and of decisions that did not reach a store that is away: one line speaks for an outage. */
  onTrouble(doing: string, error: unknown): void;
}

/**
 * Transactions without a database, in RocketMQ's way: the half message is stored first, then comes the work, and the check
 * method is asked about what was left undecided.
 */
export class HalfFirst {
  private readonly options: HalfFirstOptions;
  private readonly owners = new Map<string, HalfOwner>();

  constructor(options: HalfFirstOptions) {
    this.options = options;
  }

  /**
   * Store a half message.
   *
   * @throws InvalidOptionsError when no check method has its name; otherwise as `send`: what rejects is not delivered,
   *   unless its check method says that it must be.
   */
  async prepare(
    topic: TopicName,
    body: unknown,
    options: PrepareOptions,
  ): Promise<PreparedMessage> {
    const { producer, topics, checks, clock, sender, publisher } = this.options;
    const { name, ...sendOptions } = options;
    checks.require(name);
    const enlisted = await producer.outgoing(topic, body, {
      options: sendOptions,
      lookUpTopic: (wanted) => topics.get(wanted),
    });
    const facts: TransactionFacts = {
      id: mintTransactionId(clock.now()),
      owner: this.ownerOf(name),
    };
    const kept = new HeldMessage(enlisted, null);
    const run = await this.store(facts, placed(kept, enlisted.topic!, facts.id));
    return new PreparedMessage(facts, run, { sender, publisher });
  }

  /**
   * A half message around `work`: visible when it returns, dropped when it throws; the error comes out unchanged.
   *
   * While `work` runs nobody is asked. What it returned is returned also when the store does not confirm the commit: the
   * check method answers then.
   *
   * @throws AlreadyDecidedError when the check method, or an operator, had rolled the message back meanwhile.
   */
  async run<R>(
    work: () => Promise<R>,
    message: { topic: TopicName; body: unknown; options: PrepareOptions },
  ): Promise<R> {
    const prepared = await this.prepare(message.topic, message.body, message.options);
    const renewal = this.keepRenewing(prepared);
    try {
      const result = await work().catch(async (error: unknown) => {
        await this.tryTo(() => prepared.rollback(), prepared);
        throw error;
      });
      const failure = await this.tryTo(() => prepared.commit(), prepared);
      if (failure instanceof AlreadyDecidedError) throw failure;
      return result;
    } finally {
      await renewal.stop();
    }
  }

  /** One object for as long as this lives. */
  private ownerOf(name: string): HalfOwner {
    const known = this.owners.get(name);
    if (known) return known;
    const owner = { kind: 'method', group: this.options.settings.producerGroup, name } as const;
    this.owners.set(name, owner);
    return owner;
  }

  private async tryTo(
    decide: () => Promise<unknown>,
    { transactionId }: PreparedMessage,
  ): Promise<Error | undefined> {
    try {
      await decide();
      return undefined;
    } catch (error) {
      this.undecided(transactionId, error as Error);
      return error as Error;
    }
  }

  /** The decision did not reach the store, or came too late. */
  private undecided(id: TransactionId, error: Error): void {
    const { logger, onTrouble } = this.options;
    if (error instanceof AcksMissedError) return logger.warn(error.message);
    if (isAway(error))
      return onTrouble(`decide transaction ${id} (that is left to its check method)`, error);
    logger.warn(
      `The decision about transaction ${id} was not taken: ${error.message}. Its check method is asked, or was.`,
    );
  }

  /** "I am still at work", until the time a transaction may take is over. */
  private keepRenewing(prepared: PreparedMessage): Loop {
    const { clock, settings, onTrouble } = this.options;
    const { checkAfterMs, maxTransactionMs } = settings;
    const everyMs = Math.max(1, Math.floor(checkAfterMs / 3));
    const until = clock.monotonic() + maxTransactionMs;
    let isFirst = true;
    return new Loop({
      name: 'renew half',
      clock,
      step: async () => {
        if (!isFirst && clock.monotonic() < until) await prepared.extend(checkAfterMs);
        isFirst = false;
        return everyMs;
      },
      onError: (error) =>
        onTrouble(
          `renew transaction ${prepared.transactionId}, whose check method may be asked while it runs`,
          error,
        ),
    }).start();
  }

  private async store(facts: TransactionFacts, message: KeptMessage): Promise<QueueRun> {
    const { topic } = message;
    for (let moves = 0; moves <= MOST_MOVES; moves++) {
      const [run] = runsOf([message]) as [QueueRun];
      const reply = await this.ask(facts, run);
      if (reply.state === 'prepared') return run;
      if (reply.state !== 'moved') throw this.refused(run, reply.state);
      message = placed(message, await this.options.topics.refresh(topic), facts.id);
    }
    throw this.notStored(facts, message, new Error(`topic "${topic}" changes again and again`));
  }

  private async ask(facts: TransactionFacts, run: QueueRun): Promise<PrepareReply> {
    const { sender, room, publisher, sendTimeoutMs: patienceMs } = this.options;
    const place = publisher.place(facts, run);
    const ask = (): Promise<PrepareReply> =>
      sender.prepare(place, publisher.half(facts, run), patienceMs);
    try {
      const reply = await ask();
      return reply.state === 'full'
        ? await room.answer<PrepareReply>(reply, { run, ask, patienceMs })
        : reply;
    } catch (error) {
      // Perhaps it is there: without this its check method would be asked about work that was never begun.
      void this.forget(place, facts.id);
      throw this.notStored(facts, run.messages[0]!, error as Error);
    }
  }

  private refused(
    run: QueueRun,
    state: Exclude<PrepareReply['state'], 'prepared' | 'moved'>,
  ): Error {
    const { topic, queue, messages } = run;
    const about = { topic, messageId: messageIdOf(messages[0]!.entry.frame) };
    if (state !== 'full')
      return new SendFailedError(`the store answered "${state}" for ${topic}/${queue}`, about);
    return new TopicFullError(
      `Topic "${topic}" queue ${queue} is full (its maxLength is reached). Nothing was stored and the transaction was not run.`,
      about,
    );
  }

  private async forget(place: HalfPlace, id: TransactionId): Promise<void> {
    try {
      await this.options.sender.rollback(place, id);
    } catch (error) {
      this.undecided(id, error as Error);
    }
  }

  private notStored({ id }: TransactionFacts, { topic, entry }: KeptMessage, cause: Error): Error {
    const messageId = messageIdOf(entry.frame);
    return new SendFailedError(
      `The half message of transaction ${id} to topic "${topic}" was not stored: ${whyNotKept(cause)}. The transaction was not run; it is safe to repeat it.`,
      { topic, messageId },
      { cause },
    );
  }
}
