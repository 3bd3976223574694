import { InvalidInputError } from '../core/message/errors.js';
import type { SendOptions, SendResult } from '../core/message/message.js';
import { isOptions, notOptions } from '../core/message/options.js';
import { type TopicName, topicOf } from '../core/message/topic.js';
import type { RecurringOptions, RecurringSend } from '../core/producer/recurring-sends.js';
import type { RequestOptions } from '../core/producer/requester.js';
import { type BatchItem, checkBatch, sendBatch } from '../core/producer/send-batch.js';
import type { Logger } from '../core/runtime/logger.js';
import type { Rivulet } from '../core/rivulet.js';
import type { PrepareOptions } from '../core/transaction/half-first.js';
import { checkSet, type SendAllOptions, type SetMessage } from '../core/transaction/message-set.js';
import type { PreparedMessage } from '../core/transaction/prepared-message.js';
import type { TransactionOptions } from '../core/transaction/transaction-options.js';
import { type Metadata, reservedProblems, withMetadata } from './metadata.js';

/** An outgoing message as a dispatch hook sees it: Nest's `ReadPacket`. */
export interface OutgoingPacket {
  pattern: unknown;
  data: unknown;
  metadata?: Metadata;
}

/** Of a send that nobody waits for. */
export type OnewayOptions = Omit<SendOptions, 'acks'>;

/** One for all: each would live from its send to its confirm. */
const NO_OPTIONS: SendOptions = {};

/** Sends messages. Inject it anywhere. */
export class MessageProducer {
  private readonly rivulet: Rivulet;
  private readonly logger: Logger;
  private onDispatch: ((packet: OutgoingPacket) => void) | undefined;

  constructor(options: { rivulet: Rivulet; logger: Logger }) {
    this.rivulet = options.rivulet;
    this.logger = options.logger;
  }

  /**
   * Store a message. The promise is the publisher confirm. Inside a transaction the message is kept for its end instead, and
   * the state is `half`; with `transaction: false` it is sent at once.
   *
   * Resolved: stored once, delivered at least once to every group. Rejected: `SendFailedError` and `InvalidInputError`
   * mean not stored, now or later; `SendOutcomeUnknownError` means perhaps stored, and carries the message id. The
   * library's own retries neither double nor reorder; make yours safe with `dedupId`.
   */
  send<Body>(
    topic: TopicName<Body>,
    body: NoInfer<Body>,
    options: SendOptions = NO_OPTIONS,
  ): Promise<SendResult> {
    try {
      return this.rivulet.producer.send(topic, body, this.prepared(topic, body, options));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /**
   * Send messages to one topic, in order. All are checked before the first is sent, so a batch with an invalid message
   * stores nothing. A batch is no transaction: `BatchSendError` has a result or an error for each message.
   */
  async sendBatch<Body>(
    topic: TopicName<Body>,
    items: readonly BatchItem<NoInfer<Body>>[],
  ): Promise<SendResult[]> {
    checkBatch(topic, items);
    const prepared = items.map(({ body, ...options }) => ({
      ...this.prepared(topic, body, options),
      body,
    }));
    return sendBatch(this.rivulet.producer, topic, prepared);
  }

  /**
   * Send messages to any number of topics, all or nothing: whoever dies in between, all become visible, each once, or none.
   * Inside a transaction they are a part of it, all or none, also when its code catches the error.
   *
   * Resolved: each is stored; one whose state is `half` becomes visible in a moment. Rejected: none is stored, now or later,
   * except for `SendOutcomeUnknownError`: then all are, or none. A full queue refuses all of them, whatever `whenFull` says.
   */
  async sendAll<Bodies extends readonly unknown[]>(
    messages: { readonly [I in keyof Bodies]: SetMessage<Bodies[I]> },
    options: SendAllOptions = {},
  ): Promise<SendResult[]> {
    const list = messages as readonly SetMessage[];
    checkSet(list, options);
    const prepared = list.map((message) => this.prepared(message.topic, message.body, message));
    return this.rivulet.sets.send(prepared, options);
  }

  /**
   * Send again and again, at the times of a cron expression or each `everyMs`: each time once per namespace, by whichever
   * process is there. Times that pass while none runs come once, late. Find and cancel it by its name with `MessageAdmin`.
   *
   * Safe to repeat, e.g. by every process when it starts; another definition with the same name replaces the one there
   * is. The body is kept as JSON. While Redis is away it is waited for, for `sendTimeoutMs`; then this rejects with
   * `StoreUnavailableError`, or `StoreRefusedError`.
   */
  async sendRecurring<Body>(
    topic: TopicName<Body>,
    body: NoInfer<Body>,
    options: RecurringOptions,
  ): Promise<RecurringSend> {
    return this.rivulet.recurring.set(topic, body, this.prepared(topic, body, options));
  }

  /**
   * Send without waiting and without an answer: a failure is logged, and nobody else hears of it. So there are no `acks`: as
   * far as the memory of one server, also where the producer's default goes further.
   */
  oneway<Body>(topic: TopicName<Body>, body: NoInfer<Body>, options: OnewayOptions = {}): void {
    this.unheard(topic, body, options).catch((error: unknown) =>
      this.logger.error(`A one-way send to topic "${topicOf(topic)}" failed: ${String(error)}`),
    );
  }

  /**
   * Send a request and wait for the first value of the answer; undefined when the handler answered nothing.
   *
   * Rejects with `RequestFailedError` when the handler failed, with `RequestTimeoutError` when no answer came within
   * `timeoutMs` (default: the option `requestTimeoutMs`), with `DuplicateRequestError` when its `dedupId` makes it a duplicate
   * of one whose answer does not come here, or as `send` does. A request that has waited in its queue for
   * `timeoutMs` is not run. That is counted from when it is stored, so it may still be run shortly after you gave up.
   */
  async request<Reply = unknown, Body = unknown>(
    topic: TopicName<Body>,
    body: NoInfer<Body>,
    options: RequestOptions = {},
  ): Promise<Reply> {
    const prepared = this.prepared(topic, body, options);
    return (await this.rivulet.requester.request(topic, body, prepared)) as Reply;
  }

  /**
   * Run `body` in a database transaction; what it sends becomes visible when it has committed, and not if it throws. As a
   * method with `@Transactional()`; `tx` is the participant's handle.
   */
  transaction<R, Tx = never>(
    body: (tx: Tx) => Promise<R>,
    options?: TransactionOptions,
  ): Promise<R> {
    return this.rivulet.transactions.run(body, options);
  }

  /**
   * Store a half message and decide about it later, without a database: `commit()` or `rollback()` what this resolves with.
   * When the process dies before, the method with `@TransactionCheck(options.name)` is asked.
   */
  async prepare<Body>(
    topic: TopicName<Body>,
    body: NoInfer<Body>,
    options: PrepareOptions,
  ): Promise<PreparedMessage> {
    return this.rivulet.halfFirst.prepare(topic, body, this.prepared(topic, body, options));
  }

  /**
   * For instrumentation: called with every outgoing message right before it is sent. It may set `packet.metadata`,
   * which the handler finds in `ctx.getMetadata()`. As `setOnDispatchHook` of Nest's clients.
   */
  setOnDispatchHook(hook: (packet: OutgoingPacket) => void): void {
    this.onDispatch = hook;
  }

  private unheard<Body>(
    topic: TopicName<Body>,
    body: NoInfer<Body>,
    options: OnewayOptions,
  ): Promise<SendResult> {
    const { acks } = (options ?? {}) as SendOptions;
    if (acks === undefined) return this.send(topic, body, { ...options, acks: 'memory' });
    return Promise.reject(
      new InvalidInputError(`One-way send to topic "${topicOf(topic)}"`, [
        'acks would be waited for by nobody; leave them out, or await send()',
      ]),
    );
  }

  private prepared<O extends Pick<SendOptions, 'properties'>>(
    topic: TopicName,
    body: unknown,
    options: O,
  ): O {
    const problems = isOptions(options)
      ? reservedProblems(options.properties)
      : [notOptions('options', options)];
    if (problems.length > 0)
      throw new InvalidInputError(`Send to topic "${topicOf(topic)}"`, problems);
    if (!this.onDispatch) return options;
    const packet: OutgoingPacket = { pattern: topicOf(topic), data: body };
    this.onDispatch(packet);
    const properties = withMetadata(options.properties, packet.metadata);
    return properties ? { ...options, properties } : options;
  }
}
