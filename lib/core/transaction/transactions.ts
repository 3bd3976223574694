import { ClosedError, InvalidOptionsError } from '../message/errors.js';
import type { Enlistment } from '../producer/enlistment.js';
import type { TopicDirectory } from '../producer/topic-directory.js';
import type { Clock } from '../runtime/clock.js';
import { orAborted } from '../runtime/drain.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { Availability } from '../store/stores.js';
import {
  type Begin,
  DatabaseTransaction,
  type DatabaseTransactionOptions,
  type DatabaseTransactionTools,
} from './database-transaction.js';
import { DeliveryAnswer } from './delivery-answer.js';
import { UnmanagedTransactionError } from './errors.js';
import type { HalfRoom } from './half-room.js';
import type { HalfSender } from './half-sender.js';
import type { LateHalf } from './late-half.js';
import { Outbox } from './outbox.js';
import { OutboxRelays } from './outbox-relays.js';
import type { TransactionParticipant } from './participant.js';
import type { Participants } from './participants.js';
import type { Publisher } from './publisher.js';
import { inSavepoint } from './savepoint.js';
import type { TransactionFacts } from './transaction-facts.js';
import { TransactionScope } from './transaction-scope.js';
import { type TransactionOptions, transactionOptionProblems } from './transaction-options.js';
import type { TransactionSettings } from './transaction-settings.js';
import { TransactionTopics } from './transaction-topics.js';
import type { UnitOfWork, UnitOfWorkTools } from './unit-of-work.js';

export interface TransactionsOptions {
  settings: TransactionSettings;
  limits: UnitOfWorkTools['limits'];
  participants: Participants;
  sender: HalfSender;
  room: HalfRoom;
  publisher: Publisher;
  topics: TopicDirectory;
  availability: Availability;
  clock: Clock;
  events: Events;
  logger: Logger;
}

/**
 * Database transactions whose messages are visible if and only if they committed.
 *
 * Whatever is sent by the code of a body, or by what it calls and awaits, belongs to its transaction.
 */
export class Transactions {
  private readonly options: TransactionsOptions;
  private readonly scope = new TransactionScope();
  private readonly outbox: Outbox;
  private readonly relays: OutboxRelays;
  private readonly tools: DatabaseTransactionTools;
  /** Transactions that run, and messages on their way after COMMIT. */
  private underWay = 0;
  private idleWaiters: (() => void)[] = [];
  private closed = false;

  constructor(options: TransactionsOptions) {
    this.options = options;
    const { settings, participants, publisher, availability, clock, events, logger } = options;
    this.outbox = new Outbox({
      publisher,
      availability,
      clock,
      events,
      onError: (error) =>
        logger.debug(`Published rows stay in the outbox for now: ${String(error)}`),
    });
    this.relays = new OutboxRelays({
      ...{ participants, publisher, availability, clock, events, logger },
      store: settings.store,
      maxBytes: settings.maxRelayBytes,
    });
    this.tools = this.toolsOfEach();
  }

  /**
   * Run `body` in a database transaction. Resolves with what it returns, once the database has committed.
   *
   * What `body` sends becomes visible then, and never if it throws; its error comes out unchanged and rolls back. After
   * the database committed nothing is thrown any more: messages that the store does not confirm are delivered by the
   * back-check. `tx` is the participant's handle, e.g. the `PoolClient` of pg.
   *
   * @throws InDoubtError when the database does not say whether it committed; BrokerUnavailableError (rolled back) when
   *   the messages could not be stored and may not wait in the database.
   */
  run<R, Tx = never>(body: (tx: Tx) => Promise<R>, options: TransactionOptions = {}): Promise<R> {
    // Not an async function: every promise on the way of a transaction is tracked, and costs.
    try {
      return Promise.resolve(this.enter(body as (tx: unknown) => Promise<R>, options));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  private enter<R>(work: (tx: unknown) => Promise<R>, options: TransactionOptions): Promise<R> {
    const problems = transactionOptionProblems(options);
    if (problems.length > 0) throw new InvalidOptionsError('Transaction', problems);
    const outer = this.openUnit();
    const participant = this.participant(options.participant);
    const { propagation = 'required' } = options;
    if (outer?.participant !== participant.name || propagation === 'requires-new')
      return this.begin(participant, work, beginnerOf(participant, options));
    if (propagation === 'required') return work(outer.tx);
    return this.nested(outer, participant, work);
  }

  private nested<R>(
    outer: UnitOfWork,
    participant: TransactionParticipant,
    work: (tx: unknown) => Promise<R>,
  ): Promise<R> {
    if (!participant.nested)
      throw new InvalidOptionsError('Transaction', [
        `participant "${participant.name}" has no savepoints: propagation "nested" cannot be had`,
      ]);
    const nested = (inner: (tx: unknown) => Promise<R>) => participant.nested!(outer.tx, inner);
    return outer.inTurn(() => this.savepoint(outer, work, nested as Begin));
  }

  /**
   * For participants whose transactions somebody else begins (the decorator of another library): `begin` runs its
   * argument in one. Inside a transaction of the same participant it is a savepoint when `isNested`.
   */
  manage<R>(
    name: string,
    body: (tx: unknown) => Promise<R>,
    { begin, isNested = false }: { begin: Begin; isNested?: boolean },
  ): Promise<R> {
    const outer = this.openUnit();
    if (isNested && outer?.participant === name)
      return outer.inTurn(() => this.savepoint(outer, body, begin));
    return this.begin(this.options.participants.get(name), body, begin);
  }

  /** What `work` sends belongs to the transaction that runs here: all of it, or nothing when `work` fails. */
  asOne<R>(work: () => Promise<R>): Promise<R> {
    const outer = this.openUnit();
    return outer ? this.savepoint(outer, work, (body) => body(outer.tx)) : work();
  }

  /** The participant's handle of the transaction that runs here; undefined outside of one. */
  current<Tx = unknown>(participant?: string): Tx | undefined {
    const unit = this.openUnit();
    const isMeant = participant === undefined || unit?.participant === participant;
    return isMeant ? (unit?.tx as Tx | undefined) : undefined;
  }

  /**
   * Ends the transaction that runs here for messages, if it has none: what nobody awaited and comes from here on is refused.
   *
   * @returns false when it has a message: its marker finds out whether the database ended it on the way.
   */
  endIfNothingSent(): boolean {
    const unit = this.openUnit();
    if (unit?.hasSent) return false;
    void unit?.close();
    return true;
  }

  /** The participant of a name, see `TransactionOptions.participant`. @throws InvalidOptionsError when there is none. */
  participant(name?: string): TransactionParticipant {
    return this.options.participants.get(name ?? this.openUnit()?.participant);
  }

  /** What takes the messages of the code that runs now. @throws UnmanagedTransactionError */
  enlistment(): Enlistment | undefined {
    const unit = this.scope.current();
    if (!unit) this.options.participants.list().forEach(refuseForeign);
    else if (unit.open) {
      const participant = this.options.participants.get(unit.participant);
      if (participant.within) refuseForeign(participant);
    }
    return unit;
  }

  /** From now on what waits in the databases is published. Safe to repeat. */
  start(): void {
    if (!this.closed) this.relays.start();
  }

  /** Waits for transactions that run and for messages on their way, until `timeUp` aborts. Nothing begins any more. */
  async close(timeUp: AbortSignal): Promise<void> {
    this.closed = true;
    await orAborted(this.whenIdle(), timeUp);
    await orAborted(Promise.all([this.relays.stop(), this.outbox.close()]), timeUp);
  }

  /** After `close`, once nothing can be sent any more. */
  forget(): void {
    this.scope.close();
  }

  private whenIdle(): Promise<void> {
    if (this.underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  private openUnit(): UnitOfWork | undefined {
    const unit = this.scope.current();
    return unit?.open ? unit : undefined;
  }

  private begin<R>(
    participant: TransactionParticipant,
    body: (tx: unknown) => Promise<R>,
    begin: Begin,
  ): Promise<R> {
    if (this.closed) return Promise.reject(closing());
    const owner = this.options.participants.known(participant);
    const { tools } = this;
    if (owner) return this.runAs({ participant, owner, begin, tools }, body);
    return this.runOnceKnown({ participant, begin, tools }, body);
  }

  private async runOnceKnown<R>(
    whole: Omit<DatabaseTransactionOptions, 'owner'>,
    body: (tx: unknown) => Promise<R>,
  ): Promise<R> {
    const owner = await this.options.participants.owner(whole.participant);
    // Nobody waits for what has not begun: it would run in an application that has stopped.
    if (this.closed) throw closing();
    return this.runAs({ ...whole, owner }, body);
  }

  private runAs<R>(
    options: DatabaseTransactionOptions,
    body: (tx: unknown) => Promise<R>,
  ): Promise<R> {
    this.underWay += 1;
    return new DatabaseTransaction(options).run(body);
  }

  private toolsOfEach(): DatabaseTransactionTools {
    const { sender, room, publisher, topics, availability, settings, clock, limits } = this.options;
    const asked = new TransactionTopics(this.options);
    return {
      scope: this.scope,
      clock,
      unit: {
        limits,
        lookUpTopic: (topic) => asked.lookUp(topic),
        nextTurn: (info) => asked.nextTurn(info),
      },
      half: {
        sender,
        room,
        publisher,
        outbox: this.outbox,
        topics,
        availability,
        settings,
      },
      onCommitted: (half, facts) => this.scope.outside(() => this.deliver(half, facts)),
      onRolledBack: (half) => {
        this.underWay += 1;
        void this.scope.outside(() => half.abandon()).then(this.ended);
      },
      onInDoubt: (facts, error) => this.tell('in-doubt', facts, error),
      onEnded: this.ended,
    };
  }

  private savepoint<R>(
    outer: UnitOfWork,
    body: (tx: unknown) => Promise<R>,
    begin: Begin,
  ): Promise<R> {
    const participant = this.options.participants.get(outer.participant);
    return inSavepoint(body, { outer, participant, begin, scope: this.scope });
  }

  private deliver(half: LateHalf, facts: TransactionFacts): void {
    this.underWay += 1;
    half.deliver(new DeliveryAnswer(facts, this.deliveries));
  }

  private tell(
    name: 'delivery-delayed' | 'in-doubt',
    { id, owner }: TransactionFacts,
    error: Error,
  ): void {
    const { events, logger } = this.options;
    events.emit(name, { transactionId: id, participant: owner.name, error });
    logger.warn(
      name === 'in-doubt'
        ? `It is not known whether transaction ${id} of participant "${owner.name}" was committed (${error.message}). Its messages wait for the database to say so.`
        : `Transaction ${id} of participant "${owner.name}" was committed, its messages were not confirmed (${error.message}). What is not visible yet is delivered by the back-check.`,
    );
  }

  /** One function for all: two for each transaction would be made again and again. */
  private readonly ended = (): void => {
    this.underWay -= 1;
    if (this.underWay === 0) for (const resolve of this.idleWaiters.splice(0)) resolve();
  };

  private readonly deliveries = {
    onDelayed: (facts: TransactionFacts, error: Error): void =>
      this.tell('delivery-delayed', facts, error),
    onEnded: this.ended,
  };
}

function closing(): ClosedError {
  return new ClosedError('Transaction: the application is closing. Nothing was begun.');
}

/** A function of its own, which remembers these two and nothing else: it lives as long as its transaction. */
function beginnerOf(participant: TransactionParticipant, { database }: TransactionOptions): Begin {
  return (body) => participant.run(body, database);
}

function refuseForeign(participant: TransactionParticipant): void {
  const remedy = participant.foreign?.();
  if (remedy !== undefined) throw new UnmanagedTransactionError(participant.name, remedy);
}
