import {
  SendFailedError,
  StoreRefusedError,
  TopicFullError,
  whyNotKept,
} from '../message/errors.js';
import { frameMessageId } from '../message/wire-format.js';
import type { TopicDirectory } from '../producer/topic-directory.js';
import type { PrepareReply } from '../store/half-message-store.js';
import { NO_DISK_ACKS } from '../store/message-log.js';
import type { Availability } from '../store/stores.js';
import { BrokerUnavailableError } from './errors.js';
import type { HalfRoom } from './half-room.js';
import type { HalfSender } from './half-sender.js';
import { type KeptMessage, placed, type QueueRun, runsOf } from './kept-message.js';
import type { Outbox } from './outbox.js';
import type { TransactionParticipant } from './participant.js';
import type { Publisher } from './publisher.js';
import type { TransactionFacts } from './transaction-facts.js';
import type { TransactionSettings } from './transaction-settings.js';
import { Answer } from './turn-batch.js';

type FullReply = Extract<PrepareReply, { state: 'full' }>;

export interface LateHalfTools {
  sender: HalfSender;
  room: HalfRoom;
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

const NONE: readonly QueueRun[] = [];

/** What is left to do. */
type Rest = () => Promise<void>;

/**
 * The messages of one transaction, from the end of its body to their delivery.
 *
 * `place` before COMMIT; afterwards either `deliver` or, when COMMIT was never sent, `abandon`. When nobody knows, neither:
 * the back-check and the relay see to it.
 */
export class LateHalf {
  private readonly facts: TransactionFacts;
  private readonly participant: TransactionParticipant;
  private readonly deadline: number;
  private readonly tools: LateHalfTools;
  /** Whether a row of the outbox shares the fate of the transaction. */
  private isInOutbox = false;
  /** What the store was asked to keep, and did not refuse. */
  private asked: readonly QueueRun[] = NONE;
  private messages: readonly KeptMessage[];

  constructor(options: LateHalfOptions) {
    this.facts = options.facts;
    this.participant = options.participant;
    this.deadline = options.deadline;
    this.tools = options.tools;
    this.messages = options.messages;
  }

  /**
   * The marker as the last statement, while the store takes the messages: both at once, and both have ended when this
   * resolves. Both, or the messages in the outbox, are acknowledged then, unless it names what is left to do before COMMIT.
   *
   * @throws whatever must keep the transaction from being committed.
   */
  place(tx: unknown): Promise<Rest | undefined> {
    const { store, whenBrokerDown } = this.tools.settings;
    const isForDatabase =
      store === 'outbox' || (whenBrokerDown === 'outbox' && !this.tools.availability.ready);
    if (isForDatabase)
      return this.keepInDatabase(tx)
        .then(() => this.mark(tx))
        .then(nothing);
    return new Promise((resolve, reject) => {
      let left = 2;
      let rest: Rest | undefined;
      let unmarked: { error: unknown } | undefined;
      const ended = (): void => {
        if (--left > 0) return;
        if (unmarked) reject(unmarked.error);
        else resolve(rest);
      };
      const refused = (error: unknown): void => {
        rest = () => this.fallBack(tx, error as Error);
        ended();
      };
      this.prepareAll(new Answer(ended, refused));
      this.mark(tx).then(ended, (error: unknown) => {
        unmarked = { error };
        ended();
      });
    });
  }

  /** The database committed. `over` hears of a failure when others have to complete it, which they will. */
  deliver(over: Answer<void>): void {
    const { facts, participant, tools } = this;
    const [only] = this.asked;
    if (only && this.asked.length === 1 && !this.isInOutbox)
      return tools.publisher.commitFor(over, facts, only);
    const delivered = this.isInOutbox
      ? tools.outbox.publish(participant, facts, this.messages)
      : this.commitEach();
    delivered.then(over.resolve, over.reject);
  }

  private async commitEach(): Promise<void> {
    const { facts, tools } = this;
    const ends = await Promise.allSettled(
      this.asked.map((run) => tools.publisher.commit(facts, run)),
    );
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** COMMIT was not sent: what the store may have taken is dropped, also what arrives there later. Best effort. */
  async abandon(): Promise<void> {
    const { facts, tools } = this;
    const { sender, publisher } = tools;
    await Promise.allSettled(
      this.asked.map((run) => sender.rollback(publisher.place(facts, run), facts.id)),
    );
  }

  private mark(tx: unknown): Promise<void> {
    const { participant, facts, deadline } = this;
    try {
      return Promise.resolve(participant.mark(tx, { id: facts.id, deadline }));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** `over` hears why the store did not take all of them. */
  private prepareAll(over: Answer<void>): void {
    const homeless = this.messages.find(({ place }) => !place);
    if (homeless) return over.reject(this.notTaken(homeless, 'the topic could not be looked up'));
    const runs = runsOf(this.messages);
    const [only] = runs;
    if (only && runs.length === 1) return this.prepareOnly(only, over);
    this.prepareRuns(runs)
      .then((moved) => (moved.length > 0 ? this.prepareAnew(moved) : undefined))
      .then(over.resolve, over.reject);
  }

  /** As `prepareAll`. No promises where there is nothing else to do. */
  private prepareOnly(run: QueueRun, over: Answer<void>): void {
    this.asked = [run];
    const resolve = (reply: PrepareReply): void => {
      if (reply.state === 'prepared') return over.resolve();
      this.answered(run, reply)
        .then((isTaken) => (isTaken ? undefined : this.prepareAnew([run])))
        .then(over.resolve, over.reject);
    };
    const { publisher, sender, settings } = this.tools;
    const [place, half] = [publisher.place(this.facts, run), publisher.half(this.facts, run)];
    sender.prepareFor(new Answer(resolve, over.reject), place, half, settings.halfTimeoutMs);
  }

  /** @returns those whose topic has changed: nothing of them is stored. */
  private async prepareRuns(runs: readonly QueueRun[]): Promise<QueueRun[]> {
    const taken = await Promise.all(runs.map((run) => this.prepare(run)));
    return runs.filter((_, i) => !taken[i]);
  }

  /**
   * Messages whose topic has changed meanwhile, in their new queues. A queue has one half of a transaction, so what comes to
   * one that has it already goes by the outbox, from where it was placed first: there it would be taken for that half.
   */
  private async prepareAnew(moved: readonly QueueRun[]): Promise<void> {
    const { facts, tools } = this;
    const topics = [...new Set(moved.map(({ topic }) => topic))];
    const infos = await Promise.all(topics.map((topic) => tools.topics.refresh(topic)));
    const anew = new Map<KeptMessage, KeptMessage>();
    for (const { topic, messages } of moved) {
      const info = infos[topics.indexOf(topic)]!;
      for (const message of messages) anew.set(message, placed(message, info, facts.id));
    }
    const runs = runsOf([...anew.values()]);
    const taken = runs.find((run) => this.hasAsked(run));
    if (taken)
      throw this.notTaken(
        taken.messages[0]!,
        'its new queue has other messages of the transaction',
      );
    this.messages = this.messages.map((message) => anew.get(message) ?? message);
    const left = await this.prepareRuns(runs);
    if (left.length > 0) throw this.notTaken(left[0]!.messages[0]!, 'the topic is changing');
  }

  private hasAsked({ topic, queue }: QueueRun): boolean {
    return this.asked.some((one) => one.topic === topic && one.queue === queue);
  }

  /** @returns false when the topic has changed. */
  private prepare(run: QueueRun): Promise<boolean> {
    this.asked = this.asked.concat(run);
    return this.ask(run).then((reply) => this.answered(run, reply));
  }

  private async answered(run: QueueRun, reply: PrepareReply): Promise<boolean> {
    if (reply.state === 'prepared') return true;
    return reply.state === 'full' ? this.makeRoom(run, reply) : this.refused(run, reply.state);
  }

  private ask(run: QueueRun): Promise<PrepareReply> {
    const { facts, tools } = this;
    const { sender, publisher, settings } = tools;
    const [place, half] = [publisher.place(facts, run), publisher.half(facts, run)];
    return sender.prepare(place, half, settings.halfTimeoutMs);
  }

  private async makeRoom(run: QueueRun, full: FullReply): Promise<boolean> {
    const { room, settings } = this.tools;
    const patienceMs = settings.halfTimeoutMs;
    const { state } = await room.answer<PrepareReply>(full, {
      run,
      ask: () => this.ask(run),
      patienceMs,
    });
    return state === 'prepared' || this.refused(run, state);
  }

  private refused(run: QueueRun, state: Exclude<PrepareReply['state'], 'prepared'>): false {
    const { facts } = this;
    const [first] = run.messages;
    switch (state) {
      case 'moved':
        this.asked = this.asked.filter((one) => one !== run);
        return false;
      case 'full':
        throw new TopicFullError(
          `Topic "${run.topic}" queue ${run.queue} is full (its maxLength is reached). Transaction ${facts.id} was rolled back; consume or raise maxLength, then repeat it.`,
          { topic: run.topic, messageId: frameMessageId(first!.entry.frame) },
        );
      default:
        throw this.notTaken(first!, `the store answered "${state}"`);
    }
  }

  private notTaken({ topic, entry }: KeptMessage, why: string, cause?: Error): Error {
    const messageId = frameMessageId(entry.frame);
    return new SendFailedError(
      `Message ${messageId} to topic "${topic}" was not stored: ${why}`,
      { topic, messageId },
      { cause },
    );
  }

  /** The store did not take all of it: the transaction is still open, and its messages can wait in the database. */
  private async fallBack(tx: unknown, error: Error): Promise<void> {
    if (error instanceof TopicFullError) throw error;
    const { facts, tools, messages } = this;
    if (cannotBeConfirmed(error))
      throw this.notTaken(
        messages.find(({ acks }) => acks === 'disk')!,
        error.message,
        error,
      );
    if (tools.settings.whenBrokerDown === 'fail')
      throw new BrokerUnavailableError(facts.id, whyNotKept(error), { cause: error });
    await this.keepInDatabase(tx);
  }

  private async keepInDatabase(tx: unknown): Promise<void> {
    const { participant, facts, tools } = this;
    await tools.outbox.keep({ participant, tx, facts, messages: this.messages });
    this.isInOutbox = true;
  }
}

/** By this server, whoever asks: a row would stay in the outbox for ever. */
function cannotBeConfirmed(error: Error): boolean {
  return error instanceof StoreRefusedError && error.reason === NO_DISK_ACKS;
}

function nothing(): undefined {}
