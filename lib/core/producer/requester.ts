import type { Codecs } from '../message/codec.js';
import { ClosedError, RivuletError } from '../message/errors.js';
import type { SendOptions } from '../message/message.js';
import type { MessageId } from '../message/message-id.js';
import { decodeReply, type ReplyPacket } from '../message/reply-packet.js';
import { type TopicName, topicOf } from '../message/topic.js';
import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import type { ReplyInbox, ReplyStore } from '../store/reply-store.js';
import type { Producer } from './producer.js';

/** No answer came within `timeoutMs`. The request is not run after its deadline; it may have been run before. */
export class RequestTimeoutError extends RivuletError {
  readonly code = 'REQUEST_TIMEOUT';
}

/** The handler answered with an error; `payload` is what it said. */
export class RequestFailedError extends RivuletError {
  readonly code = 'REQUEST_FAILED';
  readonly payload: unknown;

  constructor(text: string, payload: unknown) {
    super(text);
    this.payload = payload;
  }
}

export interface RequestOptions extends Omit<
  SendOptions,
  'timeoutMs' | 'ttlMs' | 'delayMs' | 'deliverAt'
> {
  /** How long to wait for the answer, in milliseconds. Default 30 000. */
  timeoutMs?: number;
}

/** Told about the steps of an answer, in order; after `error` or `end` nothing follows. */
export interface ReplyListener {
  value(body: unknown): void;
  error(error: Error): void;
  end(): void;
}

export interface RequesterOptions {
  producer: Producer;
  replies: ReplyStore;
  codecs: Codecs;
  clock: Clock;
  /** Default 30 000. */
  timeoutMs: number;
  onError(error: unknown): void;
}

interface Pending {
  listener: ReplyListener;
  nextSeq: number;
  finish(): void;
}

interface EarlyAnswer {
  packets: ReplyPacket[];
  /** Number of the last request sent before it: it answers that one or an older one. */
  lastNumber: number;
}

/** How long the inbox outlives its process. Read at least once in a third of it while somebody waits. */
const INBOX_TTL_MS = 60_000;

/**
 * Sends requests and hands the answers to whoever asked. One inbox per process, opened with the first request.
 *
 * Steps of an answer are taken once each and in order; what comes after the end, or after the time is up, is
 * dropped.
 */
export class Requester {
  private readonly options: RequesterOptions;
  private readonly pending = new Map<MessageId, Pending>();
  /** Ends a request that has no answer yet, also one whose message is still being sent. */
  private readonly underWay = new Set<(error: Error) => void>();
  /** Requests without a confirm, by their number; the oldest first. */
  private readonly sending = new Set<number>();
  private lastNumber = 0;
  /** Answers that may have overtaken the confirm of their request, in the order they came. */
  private readonly early = new Map<MessageId, EarlyAnswer>();
  private opening: Promise<ReplyInbox> | undefined;
  private loop: Loop | undefined;
  private closed = false;

  constructor(options: RequesterOptions) {
    this.options = options;
  }

  /** Requests whose answers are kept for a confirm that may still come. */
  get kept(): number {
    return this.early.size;
  }

  /** The first value of the answer. Rejects with `RequestTimeoutError`, `RequestFailedError` or an error of `send`. */
  request(name: TopicName, body: unknown, options: RequestOptions = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.open(name, body, options, {
        value: resolve,
        error: reject,
        end: () => resolve(undefined),
      });
    });
  }

  /** Every step of the answer goes to the listener. The returned function stops listening. */
  open(
    name: TopicName,
    body: unknown,
    options: RequestOptions,
    listener: ReplyListener,
  ): () => void {
    const { clock, producer } = this.options;
    const { timeoutMs = this.options.timeoutMs, ...sendOptions } = options;
    let finished = false;
    let requestId: MessageId | undefined;
    const once = (tell: () => void): void => {
      if (finished) return;
      finished = true;
      cancel();
      this.underWay.delete(giveUp);
      if (requestId !== undefined) this.pending.delete(requestId);
      tell();
    };
    const giveUp = (error: Error): void => once(() => listener.error(error));
    this.underWay.add(giveUp);
    const cancel = clock.after(timeoutMs, () =>
      giveUp(
        new RequestTimeoutError(
          `No answer from topic "${topicOf(name)}" within ${timeoutMs} ms. It is not run after that; it may have been run before. Is a handler that replies subscribed?`,
        ),
      ),
    );
    const number = ++this.lastNumber;
    this.sending.add(number);
    this.inbox()
      .then((inbox) =>
        producer.send(
          name,
          body,
          { ...sendOptions, ttlMs: timeoutMs, timeoutMs },
          { replyTo: inbox.address },
        ),
      )
      .then(
        ({ messageId }) => {
          requestId = messageId;
          if (finished) return;
          const pending = { listener, nextSeq: 0, finish: () => once(() => {}) };
          this.pending.set(messageId, pending);
          for (const packet of this.early.get(messageId)?.packets ?? []) this.take(packet);
          this.early.delete(messageId);
        },
        (error: unknown) => giveUp(error as Error),
      )
      .finally(() => {
        this.sending.delete(number);
        this.forgetLate();
      })
      // Only a listener throws here.
      .catch((error: unknown) => this.options.onError(error));
    return () => once(() => {});
  }

  /** Ends every request under way. Never rejects. */
  async close(): Promise<void> {
    this.closed = true;
    for (const giveUp of [...this.underWay])
      giveUp(new ClosedError('The request was given up: the application is closing.'));
    const inbox = await this.opening?.catch(() => undefined);
    const stopped = this.loop?.stop();
    // A store that is down keeps the inbox until its lifetime is over: no reason for a shutdown to fail.
    await inbox?.close().catch(() => undefined);
    await stopped;
  }

  /** What answers none of the requests under way is late, not early: nobody will ask for it. */
  private forgetLate(): void {
    const [oldest = Infinity] = this.sending;
    for (const [requestId, { lastNumber }] of this.early) {
      if (lastNumber >= oldest) return;
      this.early.delete(requestId);
    }
  }

  private inbox(): Promise<ReplyInbox> {
    if (this.closed)
      return Promise.reject(
        new ClosedError('Request: the application is closing. Nothing was sent.'),
      );
    this.opening ??= this.openInbox().catch((error: unknown) => {
      // The next request tries again.
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  private async openInbox(): Promise<ReplyInbox> {
    const { replies, clock, onError } = this.options;
    const inbox = await replies.openInbox({ ttlMs: INBOX_TTL_MS });
    this.loop = new Loop({
      name: 'replies',
      clock,
      step: async (signal) => {
        for (const bytes of await inbox.read({ blockMs: 5_000, signal })) this.receive(bytes);
        return 0;
      },
      onError,
    }).start();
    return inbox;
  }

  private receive(bytes: Buffer): void {
    // One that is no answer, or whose listener throws, must not take the answers read with it along.
    try {
      const packet = decodeReply(bytes);
      if (this.pending.has(packet.requestId)) this.take(packet);
      else if (this.sending.size > 0) this.keep(packet);
    } catch (error) {
      this.options.onError(error);
    }
  }

  private keep(packet: ReplyPacket): void {
    const early = this.early.get(packet.requestId);
    if (early) early.packets.push(packet);
    else this.early.set(packet.requestId, { packets: [packet], lastNumber: this.lastNumber });
  }

  private take(packet: ReplyPacket): void {
    const pending = this.pending.get(packet.requestId);
    if (!pending || packet.seq !== pending.nextSeq) return;
    pending.nextSeq += 1;
    const { listener, finish } = pending;
    let body: unknown;
    try {
      body =
        packet.kind === 'end' ? undefined : this.options.codecs.decode(packet.codec, packet.bytes);
    } catch (error) {
      finish();
      return listener.error(error as Error);
    }
    switch (packet.kind) {
      case 'value':
        return listener.value(body);
      case 'last-value':
        finish();
        listener.value(body);
        return listener.end();
      case 'end':
        finish();
        return listener.end();
      case 'error':
        finish();
        return listener.error(new RequestFailedError(errorText(body), body));
    }
  }
}

function errorText(payload: unknown): string {
  if (typeof payload === 'string') return payload;
  const message = (payload as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : 'The handler of the request failed';
}
