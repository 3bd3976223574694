import { InvalidInputError } from '../message/errors.js';
import type { SendResult } from '../message/message.js';
import type { EnlistedMessage, Enlistment } from '../producer/enlistment.js';
import { queueOf } from '../producer/send-route.js';
import type { TopicInfo } from '../store/topic-registry.js';
import { TransactionEndedError } from './errors.js';
import type { KeptMessage } from './kept-message.js';
import type { TransactionId } from '../store/half-message-store.js';

export interface UnitOfWorkOptions {
  id: TransactionId;
  /** Name of the participant that decides. */
  participant: string;
  /** The handle of the database transaction. */
  tx: unknown;
  /** How much it may send: its messages travel together, and are kept in memory until its end. */
  limits: { messages: number; bytes: number };
  lookUpTopic(topic: string): Promise<TopicInfo | undefined>;
  /** The queue whose turn it is, for messages that nothing binds to one. */
  nextTurn(topic: TopicInfo): number;
}

/** What a sender is told while nobody knows how many queues the topic has. */
const QUEUE_UNDECIDED = -1;

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
  private readonly options: UnitOfWorkOptions;
  private readonly outer: UnitOfWork | undefined;
  private readonly pending = new Set<Promise<unknown>>();
  /** By topic: messages that nothing binds to a queue stay together, in their order. */
  private readonly turns = new Map<string, number>();
  private kept: { number: number; message: KeptMessage }[] = [];
  private isOpen = true;
  private nextNumber = 0;
  private bytes = 0;

  constructor(options: UnitOfWorkOptions, outer?: UnitOfWork) {
    this.options = options;
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
    return this.kept.length === 0;
  }

  enlist(make: () => Promise<EnlistedMessage>): Promise<SendResult> {
    if (!this.open) return Promise.reject(new TransactionEndedError(this.id));
    const number = this.outermost.nextNumber++;
    const taken = make().then((enlisted) => this.take(number, enlisted));
    this.pending.add(taken);
    const done = (): void => void this.pending.delete(taken);
    taken.then(done, done);
    return taken;
  }

  lookUpTopic(topic: string): Promise<TopicInfo | undefined> {
    return this.options.lookUpTopic(topic);
  }

  savepoint(tx: unknown): UnitOfWork {
    return new UnitOfWork({ ...this.options, tx }, this);
  }

  /**
   * Take nothing more. What was called and not awaited is waited for.
   *
   * @throws what such a call failed with: nobody was there to hear of it, so the transaction must not commit.
   */
  async seal(): Promise<void> {
    this.isOpen = false;
    await Promise.all(this.pending);
  }

  /** The savepoint succeeded: what it sent belongs to the outer one now. */
  release(): void {
    this.outer?.kept.push(...this.kept);
    this.kept = [];
  }

  /** Take nothing more, and forget what was sent. */
  discard(): void {
    this.isOpen = false;
    this.kept = [];
  }

  /** In the order of the calls. */
  messages(): KeptMessage[] {
    return this.kept.sort((a, b) => a.number - b.number).map(({ message }) => message);
  }

  private get outermost(): UnitOfWork {
    return this.outer?.outermost ?? this;
  }

  private take(number: number, enlisted: EnlistedMessage): SendResult {
    const { message, topic: info } = enlisted;
    const { topic, messageId, frame } = message;
    this.limit(topic, number + 1, frame.length);
    const queue = info && this.queueOf(enlisted, info);
    this.kept.push({
      number,
      message: {
        topic,
        place: info && queue !== undefined ? { queue, generation: info.generation } : null,
        route: enlisted.route,
        entry: message,
        key: message.options.key,
      },
    });
    return {
      messageId,
      topic,
      queue: queue ?? QUEUE_UNDECIDED,
      state: 'half',
      offset: null,
      duplicate: false,
      acks: 'memory',
    };
  }

  private queueOf({ route }: EnlistedMessage, info: TopicInfo): number {
    const { turns } = this.outermost;
    const next = (): number => {
      const turn = turns.get(info.topic) ?? this.options.nextTurn(info);
      turns.set(info.topic, turn);
      return turn;
    };
    return queueOf(route, { queues: info.queues, turns: { next } });
  }

  private limit(topic: string, messages: number, bytes: number): void {
    const whole = this.outermost;
    const { limits } = this.options;
    whole.bytes += bytes;
    if (messages <= limits.messages && whole.bytes <= limits.bytes) return;
    throw new InvalidInputError(`Send to topic "${topic}"`, [
      `transaction ${this.id} would hold ${messages} messages of ${whole.bytes} bytes, producer.maxBufferedMessages and producer.maxBufferedBytes allow ${limits.messages} and ${limits.bytes}; send less in one transaction`,
    ]);
  }
}
