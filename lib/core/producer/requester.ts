import type { Codecs } from '../message/codecs.js';
import { ClosedError, LimitReachedError, RivuletError } from '../message/errors.js';
import type { SendOptions, SendResult } from '../message/message.js';
import { saysNothing } from '../message/options.js';
import { decodeReply, type ReplyPacket } from '../message/reply-packet.js';
import { type TopicName, topicOf } from '../message/topic.js';
import type { Clock } from '../runtime/clock.js';
import type { ReplyStore } from '../store/reply-store.js';
import { AskedOnce } from './asked-once.js';
import { DeadlineWatch } from './deadline-watch.js';
import { EarlyPackets } from './early-packets.js';
import {
  OpenRequest,
  OpenRequests,
  type ReplyListener,
  type RequestOwner,
} from './open-requests.js';
import { checkSendOptions, timeoutProblem } from './send-options.js';
import type { SystemHeader } from './encode-message.js';
import { OwnInbox } from './own-inbox.js';
import type { Producer } from './producer.js';
import type { RequestSettings } from './request-settings.js';
import { Twins } from './twins.js';

/**
 * No answer came within `timeoutMs`. The request may have been run, and may still be until it has waited in its queue for
 * that long.
 */
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
  timeoutMs?: number | undefined;
}

export interface RequesterOptions {
  producer: Producer;
  replies: ReplyStore;
  codecs: Codecs;
  clock: Clock;
  /** Default 30 000. */
  timeoutMs: number;
  limits: Pick<RequestSettings, 'maxOpen' | 'maxInboxBytes'>;
  onError(error: unknown): void;
}

/**
 * Sends requests and hands the answers to whoever asked. One inbox per process, opened with the first request.
 *
 * Steps of an answer are taken once each and in order; what comes after the end, or after the time is up, is
 * dropped.
 */
export class Requester {
  private readonly options: RequesterOptions;
  private readonly requests = new OpenRequests();
  private readonly deadlines: DeadlineWatch;
  private lastNumber = 0;
  /** Answers that may have overtaken the confirm of their request. */
  private readonly early: EarlyPackets<ReplyPacket>;
  private readonly asked = new AskedOnce();
  private readonly twins = new Twins();
  private readonly inbox: OwnInbox;
  private readonly owner: RequestOwner = {
    confirmed: (request, sent) => this.confirmed(request, sent),
    refused: (request, error) => this.refused(request, error),
    stopped: (request) => void this.requests.finish(request),
  };
  /** Of a request that says nothing else. */
  private readonly plain: SendOptions;
  /** Once it is open: what every request says. */
  private system: SystemHeader | undefined;
  private closed = false;

  constructor(options: RequesterOptions) {
    this.options = options;
    const { replies, clock, timeoutMs, limits, onError } = options;
    const maxBytes = limits.maxInboxBytes;
    this.early = new EarlyPackets({ maxBytes });
    this.plain = { ttlMs: timeoutMs, timeoutMs, acks: 'memory' };
    const take = (packet: Buffer): void => this.deliver(decodeReply(packet));
    this.inbox = new OwnInbox({ name: 'replies', replies, clock, maxBytes, take, onError });
    this.deadlines = new DeadlineWatch({
      clock: options.clock,
      sweep: (now) => this.expire(now),
    });
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

  /**
   * Every step of the answer goes to the listener, until it is stopped.
   *
   * @throws LimitReachedError when too many are open, InvalidInputError when `timeoutMs` is no time to wait.
   */
  open(
    name: TopicName,
    body: unknown,
    options: RequestOptions,
    listener: ReplyListener,
  ): OpenRequest {
    const { clock, limits } = this.options;
    const { timeoutMs = this.options.timeoutMs } = options;
    // The send finds it, too, but the first one waits for the inbox, and the time would be up before.
    if (timeoutProblem(timeoutMs)) checkSendOptions(topicOf(name), options, clock);
    if (this.requests.size >= limits.maxOpen) throw tooManyOpen(topicOf(name), limits.maxOpen);
    const request = new OpenRequest({
      topic: topicOf(name),
      listener,
      number: ++this.lastNumber,
      timeoutMs,
      dedupId: options.dedupId,
      deadline: clock.monotonic() + timeoutMs,
      owner: this.owner,
    });
    this.requests.add(request);
    if (request.dedupId !== undefined) this.twins.begin(request);
    this.deadlines.watch(request.deadline);
    if (this.system !== undefined && !this.closed) this.send(request, name, body, options);
    else
      this.address().then(
        (replyTo) => {
          this.system = { replyTo };
          // Nothing is to be run for a request whose time is over, or that nobody wants any more.
          if (request.isFinished) this.unsent(request);
          else this.send(request, name, body, options);
        },
        (error: Error) => this.refused(request, error),
      );
    return request;
  }

  /** Ends every request under way. Never rejects. */
  async close(): Promise<void> {
    this.closed = true;
    this.deadlines.close();
    for (const request of this.requests.unfinished())
      this.giveUp(
        request,
        new ClosedError('The request was given up: the application is closing.'),
      );
    await this.inbox.close();
  }

  private send(
    request: OpenRequest,
    name: TopicName,
    body: unknown,
    options: RequestOptions,
  ): void {
    const { timeoutMs } = request;
    this.options.producer.ask(
      {
        name,
        body,
        options: saysNothing(options)
          ? this.plain
          : { ...options, acks: options.acks ?? 'memory', ttlMs: timeoutMs, timeoutMs },
        system: this.system!,
      },
      request,
    );
  }

  private confirmed(request: OpenRequest, sent: SendResult): void {
    const { messageId, duplicate } = sent;
    this.requests.sent(request, messageId);
    const isOnce = request.dedupId !== undefined;
    if (isOnce && !duplicate) this.asked.sent(messageId);
    if (this.early.size > 0) {
      // They stay for others that a dedup id made the same message, until `forgetLate` finds that none is under way.
      for (const packet of this.early.of(messageId)) this.step(request, packet);
      if (isOnce && this.early.of(messageId).length > 0) this.asked.answered(messageId);
      this.forgetLate();
    }
    if (isOnce) this.giveUpUnanswerable(request, duplicate ? sent : undefined);
  }

  /** A duplicate need not wait for an answer that has been, or that goes elsewhere, once it is known which message is the first. */
  private giveUpUnanswerable(ended: OpenRequest, duplicate?: SendResult): void {
    const found = duplicate && { sent: duplicate, until: this.lastNumber };
    for (const { request, sent } of this.twins.end(ended, found)) {
      const problem = this.asked.problem(sent.topic, sent.messageId);
      if (problem && request.nextSeq === 0) this.giveUp(request, problem);
    }
  }

  private refused(request: OpenRequest, error: Error): void {
    if (request.dedupId !== undefined) this.asked.failed(error);
    this.unsent(request);
    this.giveUp(request, error);
  }

  /** Its message will not be confirmed. */
  private unsent(request: OpenRequest): void {
    this.requests.sent(request);
    if (request.dedupId !== undefined) this.giveUpUnanswerable(request);
    this.forgetLate();
  }

  private giveUp(request: OpenRequest, error: Error): void {
    if (this.requests.finish(request)) this.tell(() => request.listener.error(error));
  }

  /** Gives up what is overdue. @returns the next deadline. */
  private expire(now: number): number {
    let next = Infinity;
    for (const request of this.requests.unfinished()) {
      const { deadline, topic, timeoutMs } = request;
      if (deadline > now) next = Math.min(next, deadline);
      else
        this.giveUp(
          request,
          new RequestTimeoutError(
            `No answer from topic "${topic}" within ${timeoutMs} ms. The request may have been run; it will not be once it has waited in its queue for that long. Is a handler that replies subscribed?`,
          ),
        );
    }
    return next;
  }

  /** A listener that throws must not take others along. */
  private tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.options.onError(error);
    }
  }

  /** What answers none of the requests under way is late, not early: nobody will ask for it. */
  private forgetLate(): void {
    if (this.early.size > 0) this.early.forgetBefore(this.requests.oldestSending);
  }

  private async address(): Promise<string> {
    if (this.closed)
      throw new ClosedError('Request: the application is closing. Nothing was sent.');
    return this.inbox.address();
  }

  private deliver(packet: ReplyPacket): void {
    const request = this.requests.find(packet.requestId);
    if (!request || request.dedupId !== undefined) this.asked.answered(packet.requestId);
    if (!request) {
      if (this.requests.isSending) this.keep(packet);
      return;
    }
    if (request.next === undefined) this.step(request, packet);
    else for (const each of this.requests.twinsOf(request)) this.step(each, packet);
    // Another one that is the same message may be confirmed later.
    if (request.dedupId !== undefined && this.twins.isSending(request)) this.keep(packet);
  }

  private step(request: OpenRequest, packet: ReplyPacket): void {
    // One that was stopped by the listener of a twin is told of nothing more.
    if (packet.seq !== request.nextSeq || request.isFinished) return;
    request.nextSeq += 1;
    try {
      this.take(request, packet);
    } catch (error) {
      this.options.onError(error);
    }
  }

  private keep(packet: ReplyPacket): void {
    const { lastNumber } = this;
    const about = { bytes: packet.bytes.length, lastNumber };
    if (!this.early.keep(packet.requestId, packet, about))
      throw new Error(
        `an answer to ${packet.requestId} is dropped: those that wait for the confirms of their requests take as many bytes as requests.maxInboxBytes allows`,
      );
  }

  private take(request: OpenRequest, packet: ReplyPacket): void {
    const { listener } = request;
    let body: unknown;
    try {
      body =
        packet.kind === 'end' ? undefined : this.options.codecs.bodyOfAnswer(packet, request.topic);
    } catch (error) {
      return this.giveUp(request, error as Error);
    }
    if (packet.kind !== 'value') this.requests.finish(request);
    switch (packet.kind) {
      case 'value':
        return listener.value(body);
      case 'last-value':
        listener.value(body);
        return listener.end();
      case 'end':
        return listener.end();
      case 'error':
        return listener.error(new RequestFailedError(errorText(body), body));
    }
  }
}

function tooManyOpen(topic: string, most: number): LimitReachedError {
  return new LimitReachedError(
    `Request to topic "${topic}": ${most} requests of this process have no answer yet, which is all that may (requests.maxOpen). Nothing was stored; await some of them, then ask again.`,
    { limit: 'requests.maxOpen' },
  );
}

function errorText(payload: unknown): string {
  if (typeof payload === 'string') return payload;
  const message = (payload as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : 'The handler of the request failed';
}
