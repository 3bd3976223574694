import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { InvalidOptionsError } from '../../core/message/errors.js';
import { given, isOptions, notOptions } from '../../core/message/options.js';
import type { RivuletEventName, RivuletEvents } from '../../core/runtime/events.js';
import { FailingFilters } from '../failing-filters.js';
import { refusing } from '../failed-request.js';
import { coreOptions } from '../handler-options.js';
import type { RivuletModuleOptions } from '../options.js';
import { rejection } from '../rejection.js';
import type { HandlerOptions } from '../subscribe.js';
import { callBareHandlersDirectly } from './bare-handlers.js';
import { keepOriginalErrors } from './original-error.js';
import { patternText } from './pattern.js';
import { PatternBook, type PatternSubscription } from './pattern-book.js';
import { PatternDispatch } from './pattern-dispatch.js';
import { ownHost, ServerHost } from './server-host.js';
import { type ConnectionStatus, followStatus } from './status.js';
import { getTransportId } from './transport-id.js';

export interface RivuletServerOptions extends RivuletModuleOptions {
  /** Tells several servers apart: see `getTransportId`. */
  name?: string;
}

/** What a server or a client tells listeners: the events of the library. */
export type TransportEvents = {
  [N in RivuletEventName]: (facts: RivuletEvents[N]) => void;
};

/**
 * Nest's transport: handles `@EventPattern` and `@MessagePattern`.
 *
 * `app.connectMicroservice({ strategy: app.get(RivuletServer) })` shares the connection and the lifecycle of
 * `RivuletModule`: reading begins when the application has started, and ends before any of its providers is destroyed.
 * `new RivuletServer(options)` has its own; it reads from `listen` to `close`, as the transports of Nest do.
 *
 * Valid topic names are topics, other patterns become `rpc.<hash>`. The extras of a decorator are its handler options.
 * Handlers of one pattern share each delivery: all of them run, and it is settled when the last has ended.
 */
export class RivuletServer
  extends Server<TransportEvents, ConnectionStatus>
  implements CustomTransportStrategy
{
  override readonly transportId: symbol;
  /** Core logs what became of a delivery; Nest need not log the same failure. */
  override readonly propagatesEventHandlerErrors = true;
  private readonly host: ServerHost;
  private readonly book: PatternBook;
  /** Nest's own hook, which only begins: nobody has set another. */
  private readonly startsAtOnce = this.onProcessingStartHook;
  private isListening = false;

  constructor(options: RivuletServerOptions | ServerHost) {
    super();
    keepOriginalErrors();
    callBareHandlersDirectly();
    this.host = options instanceof ServerHost ? options : hostOf(options);
    const { name, settings, rivulet, nextOrigin } = this.host;
    this.transportId = getTransportId(name);
    this.book = new PatternBook({
      group: settings.group,
      overrides: settings.handlers,
      nextOrigin,
    });
    followStatus(rivulet, (status) => this._status$.next(status));
  }

  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: HandlerOptions = {},
  ): void {
    callback.isEventHandler = isEventHandler;
    callback.extras = extras;
    this.book.add({ pattern, callback, isEvent: isEventHandler, extras });
    // For whoever asks getHandlers(). Never chained as Nest does it: a chain reports the first failure while the others
    // still run.
    const route = this.normalizePattern(pattern as string);
    if (!this.messageHandlers.has(route)) this.messageHandlers.set(route, callback);
  }

  /** The callback gets the error if there is one. See `RivuletLifecycle.listen` for what is true when it is called. */
  listen(callback: (error?: unknown) => unknown): void {
    this.begin().then(
      () => callback(),
      (error: unknown) => callback(error),
    );
  }

  /** Ends reading; handlers finish and are settled, within `drainMs`. Safe to repeat. */
  close(): Promise<void> {
    return this.host.close();
  }

  /** Listens to the events of the library, also before `listen`. */
  override on<N extends keyof TransportEvents, C extends TransportEvents[N] = TransportEvents[N]>(
    event: N,
    callback: C,
  ): void {
    this.host.rivulet.events.on(event, callback);
  }

  /** The `Rivulet` below. */
  override unwrap<T>(): T {
    if (!this.isListening)
      throw new Error(
        'Not initialized. Please call the "listen"/"startAllMicroservices" method before accessing the server.',
      );
    return this.host.rivulet as T;
  }

  private async begin(): Promise<void> {
    const { logger, rivulet } = this.host;
    const failing = new FailingFilters({ logger, clock: rivulet.clock });
    for (const planned of this.book.plan()) this.subscribe(planned, failing);
    await this.host.listen();
    this.isListening = true;
  }

  private subscribe(planned: PatternSubscription, failing: FailingFilters): void {
    const { rivulet, logger } = this.host;
    const { topic, group, origin, definition } = planned;
    const dispatch = new PatternDispatch({
      planned,
      rivulet,
      logger,
      failing,
      hooks: (context) => ({
        start:
          this.onProcessingStartHook === this.startsAtOnce
            ? undefined
            : (done) => this.onProcessingStartHook(this.transportId, context, done),
        end:
          this.onProcessingEndHook && (() => this.onProcessingEndHook!(this.transportId, context)),
        onError: (error) => logger.error(`A processing hook failed: ${String(error)}`),
      }),
    });
    if (definition) rivulet.topics.define(definition);
    const { subscription } = rivulet.subscribe({
      topic,
      declared: patternText((planned.message ?? planned.events[0])!.pattern),
      group,
      origin,
      handler: (delivery) => dispatch.handle(delivery),
      rejection,
      refuse: refusing({ rivulet, logger }),
      ...coreOptions(planned.options),
      ...given({ schema: definition?.options.schema }),
    });
    logger.log(
      `${origin} handles topic "${topic}" in group "${group}", ${subscription.concurrency} at a time`,
    );
  }
}

function hostOf(options: RivuletServerOptions): ServerHost {
  if (!isOptions(options))
    throw new InvalidOptionsError('Options of RivuletServer', [notOptions('options', options)]);
  const { name, ...own } = options;
  return ownHost(own, name);
}
