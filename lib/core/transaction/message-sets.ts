import { ClosedError, InvalidInputError, StoreUnavailableError } from '../message/errors.js';
import type { SendResult } from '../message/message.js';
import { askPatiently } from '../producer/ask-patiently.js';
import type { Producer } from '../producer/producer.js';
import type { TopicDirectory } from '../producer/topic-directory.js';
import { type Clock, sleep } from '../runtime/clock.js';
import { orAborted } from '../runtime/drain.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { AppendResult } from '../store/message-log.js';
import type { TopicInfo } from '../store/topic-registry.js';
import { SETS } from './half-owner.js';
import type { HalfSender } from './half-sender.js';
import { HeldMessage, type KeptMessage, placed, type QueueRun, runsOf } from './kept-message.js';
import { checkSet, type SendAllOptions, type SetMessage } from './message-set.js';
import type { Publisher } from './publisher.js';
import { mintTransactionId, type TransactionFacts } from './transaction-facts.js';
import {
  halfOf,
  resultOf,
  type SetAttempt,
  setFailed,
  setFull,
  setRefused,
  setUnknown,
} from './set-attempt.js';

export interface MessageSetsOptions {
  producer: Pick<Producer, 'outgoing' | 'validate' | 'send'>;
  /** Whether the code that runs now is in a transaction. @throws UnmanagedTransactionError */
  isEnlisted(): boolean;
  /** What is sent within belongs to that transaction as a whole, or not at all. */
  asOne<R>(work: () => Promise<R>): Promise<R>;
  sender: HalfSender;
  publisher: Publisher;
  topics: TopicDirectory;
  clock: Clock;
  events: Events;
  logger: Logger;
  sendTimeoutMs: number;
  limits: { messages: number; bytes: number };
}

type Refusal = { kind: 'moved' } | { kind: 'failed'; error: Error };

/**
 * Messages to any number of queues and topics, all or nothing.
 *
 * Those of all queues but one are stored as half messages. Appending the messages of that one is the decision: one atomic
 * step, remembered there for a day. Whoever finds a half of a set without its owner asks that queue, and the question
 * itself decides against a set that was not decided (decision 22).
 */
export class MessageSets {
  private readonly options: MessageSetsOptions;
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly closing = new AbortController();

  constructor(options: MessageSetsOptions) {
    this.options = options;
  }

  /**
   * Resolved: each message is stored once, and visible; of one that is `half` the store did not say so yet, which changes
   * nothing. Rejected: none is stored, now or later, except for `SendOutcomeUnknownError`: all, or none.
   */
  async send(messages: readonly SetMessage[], options: SendAllOptions = {}): Promise<SendResult[]> {
    checkSet(messages, options);
    if (this.closing.signal.aborted)
      throw new ClosedError('sendAll: the application is closing. Nothing was stored.');
    if (this.options.isEnlisted()) return this.options.asOne(() => this.enlist(messages));
    if (messages.length === 0) return [];
    const sending = this.sendAll(messages, options.timeoutMs ?? this.options.sendTimeoutMs);
    this.underWay.add(sending);
    try {
      return await sending;
    } finally {
      this.underWay.delete(sending);
    }
  }

  /** Waits for what is under way, until `timeUp` aborts. Nothing begins any more. */
  async close(timeUp: AbortSignal): Promise<void> {
    this.closing.abort();
    await orAborted(Promise.allSettled([...this.underWay]), timeUp);
  }

  /** A transaction is all or nothing already; a failure that its code caught leaves nothing of the set in it. */
  private async enlist(messages: readonly SetMessage[]): Promise<SendResult[]> {
    const { producer } = this.options;
    await Promise.all(
      messages.map(({ topic, body, ...own }) => producer.validate(topic, body, own)),
    );
    return Promise.all(messages.map(({ topic, body, ...own }) => producer.send(topic, body, own)));
  }

  private async sendAll(messages: readonly SetMessage[], timeoutMs: number): Promise<SendResult[]> {
    const deadline = this.options.clock.monotonic() + timeoutMs;
    const kept = await this.encode(messages, deadline);
    for (;;) {
      const attempt = await this.begin(kept, deadline);
      const refused = await this.prepareOthers(attempt);
      const decided = refused ?? (await this.decide(attempt));
      if (Array.isArray(decided)) return this.complete(attempt, decided);
      this.abandon(attempt);
      const { clock, topics } = this.options;
      if (decided.kind === 'failed') throw decided.error;
      if (clock.monotonic() >= deadline)
        throw setFailed(attempt, `its topics changed again and again for ${timeoutMs} ms`);
      await Promise.all(
        [...new Set(kept.map(({ topic }) => topic))].map((topic) =>
          this.lookUp(() => topics.refresh(topic), deadline),
        ),
      );
    }
  }

  private async encode(messages: readonly SetMessage[], deadline: number): Promise<KeptMessage[]> {
    const { producer, limits, topics } = this.options;
    const made = await Promise.all(
      messages.map(({ topic, body, ...own }) =>
        producer.outgoing(topic, body, {
          options: own,
          lookUpTopic: (name) => this.lookUp(() => topics.get(name), deadline),
        }),
      ),
    );
    const bytes = made.reduce((sum, { message }) => sum + message.frame.length, 0);
    if (made.length > limits.messages || bytes > limits.bytes)
      throw new InvalidInputError('sendAll', [
        `${made.length} messages of ${bytes} bytes are too many for one set: producer.maxBufferedMessages and producer.maxBufferedBytes allow ${limits.messages} and ${limits.bytes}`,
      ]);
    return made.map((enlisted) => new HeldMessage(enlisted, null));
  }

  private lookUp(lookUp: () => Promise<TopicInfo>, deadline: number): Promise<TopicInfo> {
    const { clock } = this.options;
    return askPatiently({
      ask: lookUp,
      goOn: () => clock.monotonic() < deadline && !this.closing.signal.aborted,
      clock,
      signal: this.closing.signal,
    });
  }

  private async begin(kept: readonly KeptMessage[], deadline: number): Promise<SetAttempt> {
    const { topics, clock } = this.options;
    const id = mintTransactionId(clock.now());
    const messages = await Promise.all(
      kept.map(async (message) => placed(message, await topics.get(message.topic), id)),
    );
    const [deciding, ...others] = runsOf(messages) as [QueueRun, ...QueueRun[]];
    return { facts: { id, owner: SETS }, messages, deciding, others, deadline };
  }

  /** @returns undefined when each of them is stored, invisible. */
  private async prepareOthers(attempt: SetAttempt): Promise<Refusal | undefined> {
    const { sender, publisher } = this.options;
    const { facts, others } = attempt;
    const refusals = await Promise.all(
      others.map(async (run): Promise<Refusal | undefined> => {
        try {
          const place = publisher.place(facts, run);
          const half = halfOf(publisher, attempt, run);
          const { state } = await this.inTime(attempt, (leftMs) =>
            sender.prepare(place, half, leftMs),
          );
          if (state === 'prepared') return undefined;
          if (state === 'full') return { kind: 'failed', error: setFull(run) };
          // Rolled back: nobody heard of this process for so long that somebody asked. Once more, then.
          return { kind: 'moved' };
        } catch (error) {
          return { kind: 'failed', error: setRefused(attempt, error as Error) };
        }
      }),
    );
    return refusals.find((one) => one?.kind === 'failed') ?? refusals.find((one) => one);
  }

  /** Appends the messages of one queue: from then on the set is sent, whatever happens. */
  private async decide(attempt: SetAttempt): Promise<AppendResult[] | Refusal> {
    const { sender, publisher } = this.options;
    const { facts, deciding } = attempt;
    try {
      const place = publisher.place(facts, deciding);
      const half = halfOf(publisher, attempt, deciding);
      const reply = await this.inTime(attempt, (leftMs) => sender.publish(place, half, leftMs));
      if (reply.state === 'committed') {
        publisher.tell(deciding, reply.results);
        return reply.results;
      }
      if (reply.state === 'full') return { kind: 'failed', error: setFull(deciding) };
      return { kind: 'moved' };
    } catch (error) {
      if (error instanceof StoreUnavailableError) throw setUnknown(attempt, error);
      return { kind: 'failed', error: setRefused(attempt, error as Error) };
    }
  }

  private async complete(attempt: SetAttempt, decided: AppendResult[]): Promise<SendResult[]> {
    const { facts, messages, deciding, others } = attempt;
    const found = new Map<KeptMessage, SendResult>();
    const note = (run: QueueRun, results: AppendResult[] | undefined): void =>
      run.messages.forEach((message, i) =>
        found.set(message, resultOf(run, message, results?.[i])),
      );
    note(deciding, decided);
    await Promise.all(others.map(async (run) => note(run, await this.show(facts, run))));
    return messages.map((message) => found.get(message)!);
  }

  /** @returns undefined when the store did not confirm it: the back-check completes it. */
  private async show(facts: TransactionFacts, run: QueueRun): Promise<AppendResult[] | undefined> {
    const { sender, publisher, events, logger } = this.options;
    try {
      // Its half and the decision are stored as far as was asked: an append that is lost is made again (decision 30).
      const half = { id: facts.id, entries: run.entries };
      const reply = await sender.commit(publisher.place(facts, run), half);
      if (reply.state === 'committed') {
        publisher.tell(run, reply.results);
        return reply.results;
      }
      await publisher.commit(facts, run);
    } catch (error) {
      events.emit('delivery-delayed', {
        transactionId: facts.id,
        participant: facts.owner.name,
        error: error as Error,
      });
      logger.warn(
        `Set ${facts.id} was sent; its messages to topic "${run.topic}" queue ${run.queue} were not confirmed (${(error as Error).message}). What is not visible yet is delivered by the back-check.`,
      );
    }
    return undefined;
  }

  /** What the store took is dropped, also what arrives there later. Best effort: the back-check does it otherwise. */
  private abandon({ facts, others }: SetAttempt): void {
    const { sender, publisher, logger } = this.options;
    const dropping = Promise.all(
      others.map((run) => sender.rollback(publisher.place(facts, run), facts.id)),
    )
      .catch((error: Error) =>
        logger.debug(`Set ${facts.id} is left to the back-check: ${error.message}`),
      )
      .finally(() => this.underWay.delete(dropping));
    this.underWay.add(dropping);
  }

  /** Others that ask in the same call may have more time. */
  private async inTime<T>(
    { deadline }: SetAttempt,
    ask: (leftMs: number) => Promise<T>,
  ): Promise<T> {
    const { clock } = this.options;
    const leftMs = Math.max(1, deadline - clock.monotonic());
    const answered = new AbortController();
    const late = sleep(clock, leftMs, answered.signal).then(() => {
      throw new StoreUnavailableError(`the store did not answer within ${leftMs} ms`);
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([ask(leftMs), late]);
    } finally {
      answered.abort();
    }
  }
}
