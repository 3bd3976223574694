import { randomBytes } from 'node:crypto';
import {
  ClosedError,
  InvalidInputError,
  ProducerBufferFullError,
  SchemaError,
  SendFailedError,
  StoreRefusedError,
  StoreUnavailableError,
} from '../message/errors.js';
import type { Codecs } from '../message/codec.js';
import type { SendOptions, SendResult } from '../message/message.js';
import { type MessageId, mintMessageId } from '../message/message-id.js';
import { topicProblem } from '../message/names.js';
import { schemaIssues, type TopicName, topicOf } from '../message/topic.js';
import { encodeFrame, frameMessageId, type Header } from '../message/wire-format.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Events } from '../runtime/events.js';
import type { TraceScope } from '../runtime/trace.js';
import type { MessageLog } from '../store/message-log.js';
import type { TopicInfo } from '../store/topic-registry.js';
import { PendingSend, type SendRoute } from './pending-send.js';
import { QueueAppender } from './queue-appender.js';
import { checkedQueue, selectQueue } from './queue-selector.js';
import { SendBuffer } from './send-buffer.js';
import { checkSendOptions } from './send-options.js';
import type { TopicDirectory } from './topic-directory.js';

export interface ProducerSettings {
  /** How long a send may take before it is answered "failed" or "unknown". Default 10 000. */
  sendTimeoutMs: number;
  /** Largest body. Default 1 MiB. */
  maxMessageBytes: number;
  /** Most messages this process holds unconfirmed; further sends wait. Default 10 000. */
  maxBufferedMessages: number;
  /** Likewise in bytes. Default 64 MiB. */
  maxBufferedBytes: number;
  /** What a send does when the buffer is full. Default `wait`: for room, until its time is up. */
  whenBufferFull: 'wait' | 'fail';
  /** Most messages of one call to the store. Default 256. */
  maxBatchMessages: number;
}

export const DEFAULT_PRODUCER_SETTINGS: ProducerSettings = {
  sendTimeoutMs: 10_000,
  maxMessageBytes: 1024 * 1024,
  maxBufferedMessages: 10_000,
  maxBufferedBytes: 64 * 1024 * 1024,
  whenBufferFull: 'wait',
  maxBatchMessages: 256,
};

/** Keeps one script call short, so that a batch of large bodies does not stop the server for others. */
const MAX_BATCH_BYTES = 1024 * 1024;

export interface ProducerOptions {
  log: MessageLog;
  topics: TopicDirectory;
  codecs: Codecs;
  clock: Clock;
  events: Events;
  trace: TraceScope;
  settings: ProducerSettings;
}

/** Set by the library itself, never by a user's options. */
export interface SystemHeader {
  replyTo?: string;
}

interface Encoded {
  topic: string;
  body: unknown;
  options: SendOptions;
  frame: Buffer;
  messageId: MessageId;
  timeoutMs: number;
  /** By the monotonic clock. */
  deadline: number;
}

interface Route {
  info: TopicInfo;
  appenders: QueueAppender[];
  /** Next queue for messages that nothing binds to one. */
  turn: number;
}

/**
 * Validates a message, chooses its queue and hands it to the queue's appender.
 *
 * Sends to one queue are stored in the order of the calls, also when some of them had to wait for a topic, a
 * schema or room in the buffer.
 */
export class Producer {
  private readonly options: ProducerOptions;
  private readonly buffer: SendBuffer;
  private readonly session = randomBytes(9).toString('base64url');
  private readonly routes = new Map<string, Route>();
  /** Sends of a topic that could not go at once; later ones line up behind them. */
  private readonly lines = new Map<string, Promise<unknown>>();
  /** Messages on their way to the new queues of a topic that changed. */
  private readonly moving = new Map<string, PendingSend[]>();
  private closed = false;

  constructor(options: ProducerOptions) {
    this.options = options;
    const { maxBufferedMessages, maxBufferedBytes } = options.settings;
    this.buffer = new SendBuffer({ maxMessages: maxBufferedMessages, maxBytes: maxBufferedBytes });
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
    system: SystemHeader = {},
  ): Promise<SendResult> {
    const topic = topicOf(name);
    try {
      this.check(topic, options);
      if (typeof name !== 'string') this.options.topics.define(name);
      const schema = this.options.topics.definition(topic)?.options.schema;
      const line = this.lines.get(topic);
      if (schema)
        return this.inLine(topic, line, async () => {
          const checked = await validated(topic, body, schema);
          return this.onceKnown(this.encode({ topic, body: checked, options, system }));
        });
      const message = this.encode({ topic, body, options, system });
      if (!line && this.options.topics.cached(topic)) return this.dispatch(message);
      return this.inLine(topic, line, () => this.onceKnown(message));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** Waits for the confirms of everything sent, at most `timeoutMs`; then nothing more is accepted. */
  async close(timeoutMs: number): Promise<void> {
    this.closed = true;
    const appenders = [...this.routes.values()].flatMap((route) => route.appenders);
    const drained = Promise.all([
      ...this.lines.values(),
      ...appenders.map((appender) => appender.whenIdle()),
    ]);
    let cancel: (() => void) | undefined;
    const timeUp = new Promise<void>(
      (resolve) => (cancel = this.options.clock.after(timeoutMs, resolve)),
    );
    await Promise.race([drained, timeUp]);
    cancel?.();
    for (const appender of appenders) appender.close();
  }

  private check(topic: string, options: SendOptions): void {
    if (this.closed)
      throw new ClosedError(
        `Send to topic "${topic}": the producer is closed. Nothing was stored.`,
      );
    const problem = topicProblem(topic);
    if (problem) throw new InvalidInputError('Send', [problem]);
    checkSendOptions(topic, options, this.options.clock.now());
  }

  /** Runs after everything of this topic that waits already, and makes later sends wait for it. */
  private inLine(
    topic: string,
    line: Promise<unknown> | undefined,
    run: () => Promise<{ answer: Promise<SendResult> }>,
  ): Promise<SendResult> {
    const dispatched = line ? line.then(run) : run();
    const done = dispatched.then(
      () => undefined,
      () => undefined,
    );
    this.holdLine(topic, done);
    return dispatched.then(({ answer }) => answer);
  }

  /** Later sends of the topic wait for `work`; so does what waits already. */
  private holdLine(topic: string, work: Promise<unknown>): void {
    const before = this.lines.get(topic);
    const line = before ? before.then(() => work) : work;
    this.lines.set(topic, line);
    void line.then(() => {
      if (this.lines.get(topic) === line) this.lines.delete(topic);
    });
  }

  /** Looks the topic up, for as long as the send may take: a store that is down for a moment fails nothing. */
  private async onceKnown(message: Encoded): Promise<{ answer: Promise<SendResult> }> {
    const { clock, topics } = this.options;
    for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 500)) {
      try {
        await topics.get(message.topic);
        return { answer: this.dispatch(message) };
      } catch (error) {
        const passing =
          error instanceof StoreUnavailableError || error instanceof StoreRefusedError;
        if (!passing) throw error;
        if (clock.monotonic() + pauseMs >= message.deadline || this.closed)
          throw new SendFailedError(
            `Message ${message.messageId} to topic "${message.topic}" was not stored: the topic could not be looked up within ${message.timeoutMs} ms. It is safe to send it again.`,
            message,
            { cause: error },
          );
        await sleep(clock, pauseMs);
      }
    }
  }

  private dispatch(message: Encoded): Promise<SendResult> {
    const route = this.route(message);
    const { frame, options, messageId, topic, deadline, timeoutMs } = message;
    return new Promise<SendResult>((resolve, reject) => {
      const bytes = frame.length;
      const send = new PendingSend({
        entry: {
          frame,
          due: options.delayMs
            ? { delayMs: options.delayMs }
            : options.deliverAt && { at: options.deliverAt.getTime() },
          dedupId: options.dedupId,
        },
        messageId,
        topic,
        deadline,
        timeoutMs,
        route,
        answer: {
          resolve: (result) => {
            this.buffer.give(bytes);
            this.published(result);
            resolve(result);
          },
          reject: (error) => {
            this.buffer.give(bytes);
            this.publishFailed(send, error);
            reject(error);
          },
        },
      });
      if (this.buffer.tryTake(bytes)) this.enqueue(send);
      else this.waitForRoom(send, reject);
    });
  }

  private waitForRoom(send: PendingSend, reject: (error: Error) => void): void {
    const { clock, settings } = this.options;
    const { messages, bytes } = this.buffer.held;
    const held = `${messages} messages (${bytes} bytes) wait for the store`;
    if (settings.whenBufferFull === 'fail')
      return reject(
        new ProducerBufferFullError(
          `Message ${send.messageId} to topic "${send.topic}" was not stored: ${held}, which is all that the producer may hold. Slow down, or set whenBufferFull to "${'wait' satisfies ProducerSettings['whenBufferFull']}".`,
          send,
        ),
      );
    const cancel = clock.after(send.timeoutMs, () => {
      if (giveUp())
        reject(
          new SendFailedError(
            `Message ${send.messageId} to topic "${send.topic}" was not stored: ${held} and no room came within ${send.timeoutMs} ms. It is safe to send it again.`,
            send,
          ),
        );
    });
    const giveUp = this.buffer.wait(send.bytes, () => {
      cancel();
      this.enqueue(send);
    });
  }

  private enqueue(send: PendingSend): void {
    const route = this.routeOf(send.topic);
    route.appenders[this.queueOf(send.route, route)]!.enqueue(send);
  }

  private encode(message: {
    topic: string;
    body: unknown;
    options: SendOptions;
    system: SystemHeader;
  }): Encoded {
    const { topic, body, options, system } = message;
    const { codecs, clock, settings, trace } = this.options;
    const codec = codecs.forBody(body);
    const bytes = codec.encode(body);
    const size = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.byteLength;
    if (size > settings.maxMessageBytes)
      throw new InvalidInputError(`Send to topic "${topic}"`, [
        `the body takes ${size} bytes, maxMessageBytes allows ${settings.maxMessageBytes}; store it elsewhere and send where it is`,
      ]);
    const header: Header = {
      tag: options.tag,
      key: options.key,
      messageGroup: options.messageGroup,
      properties: options.properties,
      traceparent: options.traceparent ?? trace.current(),
      codec: codec.name === 'json' ? undefined : codec.name,
      ttlMs: options.ttlMs,
      replyTo: system.replyTo,
      dedupId: options.dedupId,
    };
    const timeoutMs = options.timeoutMs ?? settings.sendTimeoutMs;
    try {
      const frame = encodeFrame(header, bytes, (target, at) =>
        mintMessageId(target, at, clock.now()),
      );
      const messageId = frameMessageId(frame);
      return {
        topic,
        body,
        options,
        frame,
        messageId,
        timeoutMs,
        deadline: clock.monotonic() + timeoutMs,
      };
    } catch (error) {
      if (error instanceof RangeError)
        throw new InvalidInputError(`Send to topic "${topic}"`, [error.message]);
      throw error;
    }
  }

  private route(message: Encoded): SendRoute {
    const { topic, options, body } = message;
    const { messageGroup, queue, queueSelector, dedupId, tag, key, properties } = options;
    const { queues } = this.routeOf(topic).info;
    if (queue !== undefined)
      return { by: 'queue', queue: checkedQueue(queue, queues, { topic, from: 'queue' }) };
    if (queueSelector) {
      const all = Array.from({ length: queues }, (_, i) => i);
      const chosen = queueSelector(all, { topic, tag, key, properties: properties ?? {}, body });
      return {
        by: 'queue',
        queue: checkedQueue(chosen, queues, { topic, from: 'what queueSelector returned' }),
      };
    }
    if (messageGroup !== undefined) return { by: 'message-group', messageGroup };
    // The same dedup id must meet its first message, and that is remembered per queue.
    return dedupId !== undefined ? { by: 'dedup-id', dedupId } : { by: 'turn' };
  }

  private queueOf(route: SendRoute, target: Route): number {
    const { info } = target;
    switch (route.by) {
      case 'queue':
        return route.queue;
      case 'message-group':
        return selectQueue(route.messageGroup, info.queues);
      case 'dedup-id':
        return selectQueue(route.dedupId, info.queues);
      case 'turn':
        return target.turn++ % info.queues;
    }
  }

  private routeOf(topic: string): Route {
    const info = this.options.topics.cached(topic);
    const route = this.routes.get(topic);
    if (
      route &&
      (!info || (route.info.generation === info.generation && route.info.queues === info.queues))
    )
      return route;
    if (!info) throw new Error(`Topic "${topic}" was routed before it was looked up`);
    const { log, clock, settings } = this.options;
    const fresh: Route = {
      info,
      turn: 0,
      appenders: Array.from(
        { length: info.queues },
        (_, queue) =>
          new QueueAppender({
            topic,
            queue,
            generation: info.generation,
            log,
            clock,
            session: this.session,
            batch: { messages: settings.maxBatchMessages, bytes: MAX_BATCH_BYTES },
            onMoved: (sends) => this.routeAnew(topic, sends),
          }),
      ),
    };
    this.routes.set(topic, fresh);
    return fresh;
  }

  /**
   * The topic changed under these: look it up and send them again, before anything newer. Other queues of the topic
   * learn of the change one after the other, so wait for all of them before the first message takes its new way.
   */
  private routeAnew(topic: string, sends: PendingSend[]): void {
    const moving = this.moving.get(topic);
    if (moving) return void moving.push(...sends);
    const moved = [...sends];
    this.moving.set(topic, moved);
    const old = this.routes.get(topic)?.appenders ?? [];
    const rerouted = Promise.all(old.map((appender) => appender.whenIdle()))
      .then(() => this.options.topics.refresh(topic))
      .then(
        () => {
          this.moving.delete(topic);
          for (const send of moved) if (!send.answered) this.enqueue(send);
        },
        (error: unknown) => {
          this.moving.delete(topic);
          for (const send of moved) send.expire(false, error);
        },
      );
    this.holdLine(topic, rerouted);
  }

  private published(result: SendResult): void {
    const { events } = this.options;
    if (!events.heard('published')) return;
    const { topic, queue, messageId, state } = result;
    events.emit('published', { topic, queue, messageId, state });
  }

  private publishFailed(send: PendingSend, error: Error): void {
    const outcome = error instanceof SendFailedError ? 'failed' : 'unknown';
    this.options.events.emit('publish-failed', {
      topic: send.topic,
      messageId: send.messageId,
      outcome,
      error,
    });
  }
}

async function validated(
  topic: string,
  body: unknown,
  schema: NonNullable<NonNullable<ReturnType<TopicDirectory['definition']>>['options']['schema']>,
): Promise<unknown> {
  const result = await schema['~standard'].validate(body);
  if (result.issues) throw new SchemaError(topic, schemaIssues(result.issues));
  return result.value;
}
