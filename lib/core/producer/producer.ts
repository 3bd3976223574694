import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Codecs } from '../message/codecs.js';
import type { SendOptions, SendResult } from '../message/message.js';
import { type TopicName, topicOf } from '../message/topic.js';
import type { Clock } from '../runtime/clock.js';
import { orAborted } from '../runtime/drain.js';
import type { Events } from '../runtime/events.js';
import type { TraceScope } from '../runtime/trace.js';
import type { MessageLog } from '../store/message-log.js';
import { AskingSends, asksFirst } from './asking-sends.js';
import { BufferRoom } from './buffer-room.js';
import { Confirm, PromisedAnswer } from './confirm.js';
import { type EncodedMessage, NO_SYSTEM, type SystemHeader } from './encode-message.js';
import type { EnlistedMessage, Enlistment } from './enlistment.js';
import { OutgoingMessages } from './outgoing-messages.js';
import { PendingSend, type SendAnswer } from './pending-send.js';
import { MAX_BATCH_BYTES, type ProducerSettings } from './producer-settings.js';
import type { Receipts } from './receipts.js';
import { SendBuffer } from './send-buffer.js';
import type { SendRoute } from './send-route.js';
import type { SubscribedGroups } from './subscribed-groups.js';
import type { TopicDirectory } from './topic-directory.js';
import { TopicLines } from './topic-lines.js';
import { TopicRoutes } from './topic-routes.js';
import { carrying, sentFacts } from './traced-send.js';
import { WaitingSends } from './waiting-sends.js';

export interface ProducerOptions {
  log: MessageLog;
  topics: TopicDirectory;
  groups: SubscribedGroups;
  receipts: Receipts;
  codecs: Codecs;
  clock: Clock;
  events: Events;
  trace: TraceScope;
  settings: ProducerSettings;
  /** What takes the messages of the code that runs now, if anything does. @throws what a send must fail with. */
  enlistment?(): Enlistment | undefined;
}

/**
 * Validates a message, makes room for it and hands it to its queue.
 *
 * Sends to one queue are stored in the order of the calls, also when some of them had to wait for a topic, a schema
 * or room in the buffer.
 */
export class Producer {
  private readonly options: ProducerOptions;
  private readonly buffer: SendBuffer;
  private readonly waiting: WaitingSends;
  private readonly room: BufferRoom;
  private readonly routes: TopicRoutes;
  private readonly lines: TopicLines;
  private readonly asking: AskingSends;
  private readonly messages: OutgoingMessages;
  private readonly closing = new AbortController();

  constructor(options: ProducerOptions) {
    this.options = options;
    const { log, topics, clock, events, settings } = options;
    // Every topic that is looked up during an outage listens; Node would take more than ten for a leak.
    setMaxListeners(0, this.closing.signal);
    this.buffer = new SendBuffer({
      maxMessages: settings.maxBufferedMessages,
      maxBytes: settings.maxBufferedBytes,
    });
    this.messages = new OutgoingMessages(options);
    this.waiting = new WaitingSends({ maxBytes: settings.maxWaitingBytes });
    this.asking = new AskingSends({
      groups: options.groups,
      receipts: options.receipts,
      clock,
      closing: this.closing.signal,
      waiting: this.waiting,
      timeoutMs: settings.sendTimeoutMs,
      isEnlisted: () => options.enlistment?.() !== undefined,
      check: (topic, of) => this.messages.check(topic, of),
      validate: (name, body, of) => this.validate(name, body, of),
      send: (...message) => this.sendNow(...message),
    });
    this.lines = new TopicLines({
      topics,
      clock,
      events,
      closing: this.closing.signal,
      waiting: this.waiting,
      dispatch: (message) => this.dispatch(message),
    });
    this.routes = new TopicRoutes({
      log,
      topics,
      clock,
      session: randomBytes(9).toString('base64url'),
      batch: { messages: settings.maxBatchMessages, bytes: MAX_BATCH_BYTES },
      holdLine: (topic, work) => this.lines.hold(topic, work),
    });
    this.room = new BufferRoom({
      ...{ buffer: this.buffer, waiting: this.waiting, clock },
      whenFull: settings.whenBufferFull,
      enqueue: (send) => this.routes.enqueue(send),
    });
  }

  /** Aborts when nothing more is accepted. */
  get closingSignal(): AbortSignal {
    return this.closing.signal;
  }

  /** Messages and bytes that wait for their confirm, and sends that wait for room. */
  get held(): { messages: number; bytes: number; waiting: number } {
    return this.buffer.held;
  }

  /**
   * Store a message. The promise is the publisher confirm.
   *
   * Resolved: stored once, delivered at least once to every group. Rejected: `SendFailedError` and
   * `InvalidInputError` mean not stored, now or later; `SendOutcomeUnknownError` means perhaps stored, and carries
   * the message id. The library's own retries neither double nor reorder; make yours safe with `dedupId`.
   */
  send(
    name: TopicName,
    body: unknown,
    options: SendOptions = {},
    system: SystemHeader = NO_SYSTEM,
  ): Promise<SendResult> {
    const { trace } = this.options;
    if (!trace.isTold) return this.sendNow(name, body, options, system);
    return trace.sending(
      () => sentFacts(topicOf(name), options),
      (context) => this.sendNow(name, body, carrying(context, options), system),
    );
  }

  private sendNow(
    name: TopicName,
    body: unknown,
    options: SendOptions,
    system: SystemHeader,
  ): Promise<SendResult> {
    const topic = topicOf(name);
    const { topics } = this.options;
    try {
      if (options && asksFirst(options)) return this.asking.send(name, body, options, system);
      // Somebody waits for the answer to a request: it cannot wait for the end of what asked.
      const isApart = system.replyTo !== undefined || options?.transaction === false;
      const within = isApart ? undefined : this.options.enlistment?.();
      if (within)
        return within.enlist(() =>
          this.outgoing(name, body, { options, lookUpTopic: (found) => within.lookUpTopic(found) }),
        );
      const message = this.messages.make(name, { topic, body, options, system });
      if (message instanceof Promise || !topics.cached(topic) || this.lines.has(topic))
        return this.lines.add(topic, message);
      return this.dispatch(message);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /**
   * As `send`, of a message whose confirm is not the end of what somebody waits for. `answer` hears of it once, of a failure
   * perhaps before this has returned. A promise in between would be a good part of what a request costs.
   */
  ask(
    request: { name: TopicName; body: unknown; options: SendOptions; system: SystemHeader },
    answer: SendAnswer,
  ): void {
    const { name, body, options, system } = request;
    if (!this.isAtHand(name, options))
      return void this.send(name, body, options, system).then(
        (result) => answer.resolve(result),
        (error: Error) => answer.reject(error),
      );
    try {
      const message = this.messages.makeAtOnce({ topic: topicOf(name), body, options, system });
      this.start(message, this.routes.decide(message), answer);
    } catch (error) {
      answer.reject(error as Error);
    }
  }

  /** Whether nothing has to be waited for, noted or told before the message goes to its queue. */
  private isAtHand(name: TopicName, options: SendOptions): boolean {
    if (this.options.trace.isTold || asksFirst(options)) return false;
    const { topics } = this.options;
    const topic = topicOf(name);
    const definition = topics.definition(topic);
    const isDefined = typeof name === 'string' || name === definition;
    const hasSchema = definition?.options.schema !== undefined;
    return isDefined && !hasSchema && topics.cached(topic) !== undefined && !this.lines.has(topic);
  }

  /** As `send`, of what `checked` answered in this turn: it is not made again unless something has to come before it. */
  sendChecked(
    message: { name: TopicName; body: unknown; options: SendOptions },
    checked: EncodedMessage | undefined,
  ): Promise<SendResult> {
    const { name, body, options } = message;
    if (!checked || this.options.enlistment?.() || !this.isAtHand(name, options))
      return this.send(name, body, options);
    try {
      return this.dispatch(checked);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** Runs `send`, which sends so many messages of one batch at once: they travel in as few calls as are worth it. */
  together<T>(name: TopicName, messages: number, send: () => T): T {
    return this.routes.together(topicOf(name), messages, send);
  }

  /**
   * Everything `send` would refuse, without sending.
   *
   * @returns the answer of the topic's schema, if it has one: it rejects as `send` would.
   * @throws what `send` would reject with otherwise.
   */
  validate(name: TopicName, body: unknown, options: SendOptions): Promise<void> | void {
    const checked = this.checked(name, body, options);
    if (checked instanceof Promise) return checked;
  }

  /** As `validate`; the message itself, for `sendChecked`, where no schema has to be asked. */
  checked(name: TopicName, body: unknown, options: SendOptions): Promise<void> | EncodedMessage {
    return this.messages.checked(name, body, options);
  }

  /** Everything that `send` does before the store is asked; at once where nothing has to be waited for. Fails as `send`. */
  outgoing(
    name: TopicName,
    body: unknown,
    how: { options: SendOptions } & Pick<Enlistment, 'lookUpTopic'>,
  ): EnlistedMessage | Promise<EnlistedMessage> {
    return this.messages.forTransaction(name, body, how);
  }

  /** Waits for the confirms of everything sent, until `timeUp` aborts; nothing more is accepted from now on. */
  async close(timeUp: AbortSignal): Promise<void> {
    this.messages.close();
    this.closing.abort();
    await orAborted(this.whenDrained(), timeUp);
    this.routes.close();
  }

  private async whenDrained(): Promise<void> {
    // What is moved to another queue, or let in when others are answered, was on neither list before.
    while (this.lines.size > 0 || !this.routes.idle) {
      await this.lines.allGone();
      await this.routes.whenIdle();
    }
  }

  private dispatch(message: EncodedMessage): Promise<SendResult> {
    const route = this.routes.decide(message);
    return new Promise<SendResult>((resolve, reject) =>
      this.start(message, route, new PromisedAnswer(resolve, reject)),
    );
  }

  private start(message: EncodedMessage, route: SendRoute, answer: SendAnswer): void {
    const { buffer } = this;
    const { events } = this.options;
    const confirm = new Confirm({ message, key: message.options.key, buffer, events, answer });
    const send = new PendingSend({ message, route, answer: confirm });
    if (buffer.tryTake(send.bytes)) this.routes.enqueue(send);
    else this.room.waitFor(send, confirm);
  }
}
