// Of the module, not the global one: see core/runtime/turn.ts.
import { setImmediate } from 'node:timers';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { NO_MESSAGE_HANDLER } from '@nestjs/microservices/constants.js';
import { type Observable, Observable as Stream, ReplaySubject } from 'rxjs';
import { describeError } from '../../core/consumer/outcome.js';
import { isInstance } from '../../core/message/any-copy.js';
import { InvalidInputError } from '../../core/message/errors.js';
import type { SendOptions, SendResult } from '../../core/message/message.js';
import type { TopicName } from '../../core/message/topic.js';
import type { OpenRequest, ReplyListener } from '../../core/producer/open-requests.js';
import { RequestFailedError } from '../../core/producer/requester.js';
import { withMetadata } from '../metadata.js';
import type { RivuletModuleOptions } from '../options.js';
import { ClientHost, ownClientHost } from './client-host.js';
import { foreignRecord } from './foreign-record.js';
import { describePattern, topicOfPattern } from './pattern.js';
import { RivuletRecord } from './record-builder.js';
import type { TransportEvents } from './server.js';
import { type ConnectionStatus, followStatus } from './status.js';

interface Outgoing {
  name: TopicName;
  topic: string;
  body: unknown;
  options: SendOptions;
}

/**
 * Nest's client: `emit` stores a message, `send` asks and waits for the answer.
 *
 * Inject it from `RivuletModule`, or register it: `ClientsModule.register([{ name, customClass: RivuletClient, options }])`.
 * It connects with the first message. `emit` resolves with the `SendResult` and fails when the message is not stored; a
 * failure that nobody listens to is logged. A `RivuletRecord` as data carries the options of `send`.
 */
export class RivuletClient extends ClientProxy<TransportEvents> {
  private readonly host: ClientHost;
  /** Topics with a consumer group: requests to them may be answered. */
  private readonly answered = new Set<string>();

  constructor(options: RivuletModuleOptions | ClientHost) {
    super();
    this.host = options instanceof ClientHost ? options : ownClientHost(options);
    followStatus(this.host.rivulet, (status) => this._status$.next(status));
  }

  // Cast here, since Nest takes no client for a ClientProxy whose status is less than any text.
  override get status(): Observable<ConnectionStatus> {
    return super.status as Observable<ConnectionStatus>;
  }

  /** Safe to repeat: one attempt at a time, and another one after a failure. */
  connect(): Promise<void> {
    return this.host.connect();
  }

  /** Sends under way are confirmed, requests given up. Of a client that a module provides: nothing, the module closes. */
  close(): Promise<void> {
    return this.host.close();
  }

  override on<N extends keyof TransportEvents, C extends TransportEvents[N] = TransportEvents[N]>(
    event: N,
    callback: C,
  ): void {
    this.host.rivulet.events.on(event, callback);
  }

  /** The `Rivulet` below. */
  unwrap<T>(): T {
    return this.host.rivulet as T;
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- as Nest declares it
  override emit<TResult = any, TInput = any>(pattern: unknown, data: TInput): Observable<TResult> {
    // Whoever subscribes late hears the outcome, too; Nest's own Observable would be empty then.
    const outcome = new ReplaySubject<TResult>();
    let isHeard = false;
    super.emit<TResult, TInput>(pattern, data).subscribe(outcome);
    const complain = (error: unknown): void => {
      if (isHeard) return;
      this.host.logger.error(
        `An event of pattern ${describePattern(pattern)} was not stored, and nobody listened: ${describeError(error)}`,
      );
    };
    // A failure may come before the caller had the chance to listen.
    outcome.subscribe({ error: (error: unknown) => void setImmediate(complain, error) });
    return new Stream((subscriber) => {
      isHeard = true;
      return outcome.subscribe(subscriber);
    });
  }

  /**
   * Cold, as Nest's own: each subscription asks once.
   *
   * Once connected, a request is one Observable. Nest's own way through `defer` and `mergeMap` keeps a dozen objects alive
   * until the answer, and collecting them was a third of a request's cost.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- as Nest declares it
  override send<TResult = any, TInput = any>(pattern: unknown, data: TInput): Observable<TResult> {
    const isNothing = isNil(pattern) || isNil(data);
    if (isNothing || !this.host.isConnected) return super.send<TResult, TInput>(pattern, data);
    return new Stream((subscriber) =>
      this.publish(this.packetOf(pattern, data), this.createObserver<TResult>(subscriber)),
    );
  }

  /** With what Nest 12 adds to it; Nest 11 has no such method. */
  private packetOf(pattern: unknown, data: unknown): ReadPacket {
    return 'createPacket' in this ? this.createPacket(pattern, data) : { pattern, data };
  }

  protected override async dispatchEvent<T = SendResult>(packet: ReadPacket): Promise<T> {
    const { name, body, options } = outgoing(packet);
    return (await this.host.rivulet.producer.send(name, body, options)) as T;
  }

  protected override publish(
    packet: ReadPacket,
    callback: (packet: WritePacket) => void,
  ): () => void {
    const listening = new Listening(callback);
    try {
      const request = outgoing(packet);
      if (this.answered.has(request.topic)) this.ask(request, listening);
      else this.askFirst(request, listening, callback).catch((err: unknown) => callback({ err }));
    } catch (err) {
      callback({ err });
    }
    return () => listening.stop();
  }

  private ask({ name, body, options }: Outgoing, listening: Listening): void {
    listening.request = this.host.rivulet.requester.open(name, body, options, listening);
  }

  private async askFirst(
    request: Outgoing,
    listening: Listening,
    callback: (packet: WritePacket) => void,
  ): Promise<void> {
    if (!(await this.hasGroup(request.topic))) return callback({ err: NO_MESSAGE_HANDLER });
    this.answered.add(request.topic);
    if (!listening.stopped) this.ask(request, listening);
  }

  /** Without one nobody could ever answer, so the requester need not wait for its deadline. */
  private async hasGroup(topic: string): Promise<boolean> {
    return (await this.host.rivulet.stores.topics.groups(topic)).length > 0;
  }
}

/**
 * Whether somebody still listens to a request. Nest stops each one, also after its answer: an AbortController would cost
 * ten times as much.
 */
class Listening implements ReplyListener {
  stopped = false;
  request: OpenRequest | undefined = undefined;
  private readonly callback: (packet: WritePacket) => void;

  constructor(callback: (packet: WritePacket) => void) {
    this.callback = callback;
  }

  value(response: unknown): void {
    this.callback({ response });
  }

  error(error: Error): void {
    this.callback({ err: payloadOf(error) });
  }

  end(): void {
    this.callback({ isDisposed: true });
  }

  stop(): void {
    this.stopped = true;
    this.request?.stop();
  }
}

const NO_OPTIONS: SendOptions = Object.freeze({});

/** @throws InvalidInputError */
function outgoing({ pattern, data, metadata }: ReadPacket): Outgoing {
  const found = topicOfPattern(pattern);
  if (found.topic === undefined) throw new InvalidInputError('Send', [found.problem]);
  const record = isInstance(data, RivuletRecord) ? data : undefined;
  const body: unknown = record ? record.data : data;
  const options = record ? record.options : NO_OPTIONS;
  const foreign = foreignRecord(body);
  if (foreign !== undefined) throw new InvalidInputError('Send', [foreign]);
  const properties = withMetadata(options.properties, metadata);
  return {
    name: found.definition ?? found.topic,
    topic: found.topic,
    body,
    options: properties ? { ...options, properties } : options,
  };
}

/** What the handler answered, as Nest's own clients pass it on; errors of our own as they are. */
function payloadOf(error: Error): unknown {
  if (!(error instanceof RequestFailedError)) return error;
  // Nest takes an error that is nothing for no error.
  return error.payload || { status: 'error', message: error.message };
}

function isNil(value: unknown): boolean {
  return value === undefined || value === null;
}
