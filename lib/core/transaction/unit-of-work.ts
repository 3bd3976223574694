import { InvalidInputError } from '../message/errors.js';
import type { SendResult } from '../message/message.js';
import type { EnlistedMessage, Enlistment } from '../producer/enlistment.js';
import { queueOf } from '../producer/send-route.js';
import type { TopicInfo } from '../store/topic-registry.js';
import { TransactionEndedError } from './errors.js';
import { HeldMessage, type KeptMessage } from './kept-message.js';
import { SavepointTurns } from './savepoint-turns.js';
import type { TransactionId } from '../store/half-message-store.js';

/** What every unit of work of an instance needs. */
export interface UnitOfWorkTools {
  /** How much one may send: its messages travel together, and are kept in memory until its end. */
  limits: { messages: number; bytes: number };
  lookUpTopic(topic: string): Promise<TopicInfo | undefined>;
  /** The queue whose turn it is, for messages that nothing binds to one. */
  nextTurn(topic: TopicInfo): number;
}

export interface UnitOfWorkOptions {
  id: TransactionId;
  /** Name of the participant that decides. */
  participant: string;
  /** The handle of the database transaction. */
  tx: unknown;
  tools: UnitOfWorkTools;
}

/** What a sender is told while nobody knows how many queues the topic has. */
const QUEUE_UNDECIDED = -1;
/** For routes that need none. */
const NO_TURNS = { next: (): number => 0 };

// Lists of objects that classes make, no arrays until the end, and none that a literal makes: see decisions 7 and 19.
class Kept {
  constructor(
    readonly number: number,
    readonly message: KeptMessage,
    readonly before: Kept | undefined,
  ) {}
}

/** What a sender is told. */
class HalfResult implements SendResult {
  readonly state = 'half';
  readonly offset = null;
  readonly duplicate = false;
  readonly acks = 'memory';

  constructor(
    readonly topic: string,
    readonly messageId: string,
    readonly queue: number,
  ) {}
}

class QueueTurn {
  constructor(
    readonly topic: string,
    readonly queue: number,
    readonly before: QueueTurn | undefined,
  ) {}
}

class Place {
  constructor(
    readonly queue: number,
    readonly generation: number,
  ) {}
}

/**
 * What one run of a transaction's body sends: checked, encoded and kept in order, and not stored before the body ended.
 *
 * Open until `seal`. A savepoint is a unit of work within another: its messages join the outer ones when it succeeds,
 * at the place of their calls, and are forgotten when it fails.
 */
export class UnitOfWork implements Enlistment {
  readonly id: TransactionId;
  readonly participant: string;
  readonly tx: unknown;
  private readonly tools: UnitOfWorkTools;
  private readonly outer: UnitOfWork | undefined;
  /** Sends that wait for a topic or a schema. */
  private pending: Promise<unknown>[] | undefined;
  /** Those within that have not ended. */
  private savepoints: Set<UnitOfWork> | undefined;
  private savepointTurns: SavepointTurns | undefined;
  /** Of a savepoint: what waits for its end. */
  private waiter: { resolve(): void; reject(error: unknown): void } | undefined;
  /** By topic: messages that nothing binds to a queue stay together, in their order. */
  private queueTurns: QueueTurn | undefined;
  private last: Kept | undefined;
  private isOpen = true;
  private nextNumber = 0;
  private bytes = 0;

  constructor(options: UnitOfWorkOptions, outer?: UnitOfWork) {
    this.tools = options.tools;
    this.outer = outer;
    this.id = options.id;
    this.participant = options.participant;
    this.tx = options.tx;
  }

  /** Whether it takes messages; a savepoint does no longer than what it stands in. */
  get open(): boolean {
    return this.isOpen && (this.outer?.open ?? true);
  }

  get isEmpty(): boolean {
    return this.last === undefined;
  }

  /** Also when it is not known yet where to, or in a savepoint that has not ended; one that waits for its turn counts as a send. */
  get hasSent(): boolean {
    if (this.last || this.pending?.length || this.savepointTurns?.waiting.length) return true;
    return [...(this.savepoints ?? [])].some((savepoint) => savepoint.hasSent);
  }

  enlist(make: () => EnlistedMessage | Promise<EnlistedMessage>): Promise<SendResult> {
    try {
      return Promise.resolve(this.enlisted(make));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  lookUpTopic(topic: string): Promise<TopicInfo | undefined> {
    return this.tools.lookUpTopic(topic);
  }

  savepoint(tx: unknown): UnitOfWork {
    const { id, participant, tools } = this;
    const savepoint = new UnitOfWork({ id, participant, tx, tools }, this);
    (this.savepoints ??= new Set()).add(savepoint);
    return savepoint;
  }

  /** One savepoint after the other, see `SavepointTurns`. One whose turn has not come when this is sealed is refused. */
  inTurn<R>(savepoint: () => Promise<R>): Promise<R> {
    this.savepointTurns ??= new SavepointTurns({ check: () => this.refuseEnded() });
    return this.savepointTurns.run(savepoint);
  }

  /**
   * Take nothing more. What was called and not awaited is waited for: sends, and savepoints that have sent something, which
   * would be committed without their messages. A savepoint whose turn has not come is refused.
   *
   * @returns what to wait for, if there is anything. Rejects with what such a call failed with: nobody was there to
   *   hear of it, so the transaction must not commit.
   */
  seal(): Promise<unknown> | void {
    this.isOpen = false;
    const turns = this.savepointTurns;
    if (!this.pending?.length && !this.savepoints?.size && !turns) return;
    const unended = [...(this.savepoints ?? [])].filter((savepoint) => savepoint.hasSent);
    return Promise.all([
      ...(this.pending ?? []),
      ...unended.map((each) => each.whenOver()),
      ...(turns?.waiting ?? []),
      turns?.whenOver,
    ]);
  }

  /**
   * Its body failed: take nothing more.
   *
   * @returns the end of the savepoints that took turns: what one writes behind the ROLLBACK would be committed by itself.
   */
  close(): Promise<void> | void {
    this.isOpen = false;
    return this.savepointTurns?.whenOver;
  }

  /** The savepoint succeeded: what it sent belongs to the outer one now. */
  release(): void {
    const { outer } = this;
    for (let one = this.last; one && outer; one = one.before)
      outer.last = new Kept(one.number, one.message, outer.last);
    this.last = undefined;
    outer?.savepoints?.delete(this);
    this.waiter?.resolve();
  }

  /** Take nothing more, and forget what was sent. `error`: why the savepoint failed. */
  discard(error?: unknown): void {
    this.isOpen = false;
    this.last = undefined;
    this.outer?.savepoints?.delete(this);
    this.waiter?.reject(error);
  }

  /** In the order of the calls. */
  messages(): KeptMessage[] {
    const { last } = this;
    if (last && !last.before) return Array.of(last.message);
    const all: Kept[] = [];
    for (let one = last; one; one = one.before) all.push(one);
    return all.sort((a, b) => a.number - b.number).map(({ message }) => message);
  }

  private refuseEnded(): void {
    if (!this.open) throw new TransactionEndedError(this.id);
  }

  private whenOver(): Promise<void> {
    return new Promise((resolve, reject) => (this.waiter = { resolve, reject }));
  }

  private get outermost(): UnitOfWork {
    return this.outer?.outermost ?? this;
  }

  private enlisted(
    make: () => EnlistedMessage | Promise<EnlistedMessage>,
  ): SendResult | Promise<SendResult> {
    this.refuseEnded();
    const number = this.outermost.nextNumber++;
    const made = make();
    if (!(made instanceof Promise)) return this.take(number, made);
    const taken = made.then((enlisted) => this.take(number, enlisted));
    const pending = (this.pending ??= []);
    pending.push(taken);
    // Who called may have caught it; what nobody waited for is found by `seal`.
    taken.catch(() => pending.splice(pending.indexOf(taken), this.isOpen ? 1 : 0));
    return taken;
  }

  private take(number: number, enlisted: EnlistedMessage): SendResult {
    const { message, topic: info } = enlisted;
    const { topic, messageId, frame } = message;
    this.limit(topic, number + 1, frame.length);
    const queue = info && this.queueOf(enlisted, info);
    const place = info && queue !== undefined ? new Place(queue, info.generation) : null;
    this.last = new Kept(number, new HeldMessage(enlisted, place), this.last);
    return new HalfResult(topic, messageId, queue ?? QUEUE_UNDECIDED);
  }

  private queueOf({ route }: EnlistedMessage, info: TopicInfo): number {
    if (route.by !== 'turn') return queueOf(route, { queues: info.queues, turns: NO_TURNS });
    const whole = this.outermost;
    for (let turn = whole.queueTurns; turn; turn = turn.before)
      if (turn.topic === info.topic) return turn.queue;
    whole.queueTurns = new QueueTurn(info.topic, this.tools.nextTurn(info), whole.queueTurns);
    return whole.queueTurns.queue;
  }

  private limit(topic: string, messages: number, bytes: number): void {
    const whole = this.outermost;
    const { limits } = this.tools;
    whole.bytes += bytes;
    if (messages <= limits.messages && whole.bytes <= limits.bytes) return;
    throw new InvalidInputError(`Send to topic "${topic}"`, [
      `transaction ${this.id} would hold ${messages} messages of ${whole.bytes} bytes, producer.maxBufferedMessages and producer.maxBufferedBytes allow ${limits.messages} and ${limits.bytes}; send less in one transaction`,
    ]);
  }
}
