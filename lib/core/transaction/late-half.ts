import { AsyncResource } from 'node:async_hooks';
import { StoreRefusedError, TopicFullError, whyNotKept } from '../message/errors.js';
import { NO_DISK_ACKS } from '../store/message-log.js';
import type { Availability } from '../store/stores.js';
import { BrokerUnavailableError } from './errors.js';
import type { KeptMessage } from './kept-message.js';
import type { Outbox } from './outbox.js';
import type { TransactionParticipant } from './participant.js';
import { notTaken, Preparation, type PreparationTools } from './preparation.js';
import type { TransactionFacts } from './transaction-facts.js';
import { type Answer, passOn } from './turn-batch.js';

export interface LateHalfTools extends PreparationTools {
  outbox: Outbox;
  availability: Availability;
}

export interface LateHalfOptions {
  facts: TransactionFacts;
  messages: readonly KeptMessage[];
  participant: TransactionParticipant;
  /** Unix ms. */
  deadline: number;
  tools: LateHalfTools;
}

/** What is left to do; from wherever it is called it runs where its transaction does. */
export type Rest = () => Promise<void>;

/**
 * The store takes the messages, and the marker is written. A class, since it lives until both have ended (decision 19).
 *
 * It remembers where it was made: the answer of the store is heard where other transactions hear theirs, and a client of a
 * database may know its own by where it is asked (`AsyncLocalStorage`).
 */
class Placing extends AsyncResource implements Answer<void> {
  private left = 2;
  private rest: Rest | undefined;
  private failure: { error: unknown } | undefined;

  constructor(
    private readonly over: Answer<Rest | undefined>,
    private readonly fallBack: (error: Error) => Promise<void>,
  ) {
    super('RivuletTransaction');
  }

  /** One of both has ended. */
  resolve(): void {
    if (--this.left > 0) return;
    if (this.failure) this.over.reject(this.failure.error);
    else this.over.resolve(this.rest);
  }

  /** The store did not take the messages. */
  reject(error: unknown): void {
    this.rest = () => this.runInAsyncScope(() => this.fallBack(error as Error));
    this.resolve();
  }

  unmarked(error: unknown): void {
    this.failure = { error };
    this.resolve();
  }
}

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
  private readonly preparation: Preparation;

  constructor(options: LateHalfOptions) {
    this.facts = options.facts;
    this.participant = options.participant;
    this.deadline = options.deadline;
    this.tools = options.tools;
    this.preparation = new Preparation(options);
  }

  /**
   * The marker as the last statement, while the store takes the messages: both at once, and both have ended when `over`
   * hears of it. Both, or the messages in the outbox, are acknowledged then, unless it is told what is left to do before
   * COMMIT. It is rejected with whatever must keep the transaction from being committed.
   */
  place(tx: unknown, over: Answer<Rest | undefined>): void {
    const { store, whenBrokerDown } = this.tools.settings;
    const isForDatabase =
      store === 'outbox' || (whenBrokerDown === 'outbox' && !this.tools.availability.ready);
    if (isForDatabase) {
      const kept = this.keepInDatabase(tx).then(() => this.mark(tx));
      return passOn(kept.then(nothing), over);
    }
    const placing = new Placing(over, (error) => this.fallBack(tx, error));
    this.preparation.prepare(placing);
    this.mark(tx).then(
      () => placing.resolve(),
      (error: unknown) => placing.unmarked(error),
    );
  }

  /** The database committed. `over` hears of a failure when others have to complete it, which they will. */
  deliver(over: Answer<void>): void {
    const { facts, participant, tools } = this;
    const { asked, messages } = this.preparation;
    const [only] = asked;
    if (only && asked.length === 1 && !this.isInOutbox)
      return tools.publisher.commitFor(over, facts, only);
    const delivered = this.isInOutbox
      ? tools.outbox.publish(participant, facts, messages)
      : this.commitEach();
    passOn(delivered, over);
  }

  private async commitEach(): Promise<void> {
    const { facts, tools } = this;
    const ends = await Promise.allSettled(
      this.preparation.asked.map((run) => tools.publisher.commit(facts, run)),
    );
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** COMMIT was not sent: what the store may have taken is dropped, also what arrives there later. Best effort. */
  async abandon(): Promise<void> {
    const { facts, tools } = this;
    const { sender, publisher } = tools;
    await Promise.allSettled(
      this.preparation.asked.map((run) => sender.rollback(publisher.place(facts, run), facts.id)),
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

  /** The store did not take all of it: the transaction is still open, and its messages can wait in the database. */
  private async fallBack(tx: unknown, error: Error): Promise<void> {
    if (error instanceof TopicFullError) throw error;
    const { facts, tools, preparation } = this;
    if (cannotBeConfirmed(error))
      throw notTaken(
        preparation.messages.find(({ acks }) => acks === 'disk')!,
        error.message,
        error,
      );
    if (tools.settings.whenBrokerDown === 'fail')
      throw new BrokerUnavailableError(facts.id, whyNotKept(error), { cause: error });
    await this.keepInDatabase(tx);
  }

  private async keepInDatabase(tx: unknown): Promise<void> {
    const { participant, facts, tools } = this;
    const { messages } = this.preparation;
    await tools.outbox.keep({ participant, tx, facts, messages });
    this.isInOutbox = true;
  }
}

/** By this server, whoever asks: a row would stay in the outbox for ever. */
function cannotBeConfirmed(error: Error): boolean {
  return error instanceof StoreRefusedError && error.reason === NO_DISK_ACKS;
}

function nothing(): undefined {}
