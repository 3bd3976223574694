import type { Delivery } from '../../core/consumer/subscription.js';
import { describeError } from '../../core/consumer/outcome.js';
import type { Logger } from '../../core/runtime/logger.js';
import type { Rivulet } from '../../core/rivulet.js';
import { answer, lastOf } from '../answer.js';
import { failedAttempt } from '../failed-attempt.js';
import type { FailingFilters } from '../failing-filters.js';
import { logFailedRequest } from '../failed-request.js';
import { RivuletContext } from '../rivulet-context.js';
import { FanOut } from './fan-out.js';
import { afterFailedFilter, originalError, payloadForCaller } from './original-error.js';
import type { PatternHandler, PatternSubscription } from './pattern-book.js';
import { type ProcessingHooks, withinHooks } from './processing-span.js';

export interface PatternDispatchOptions {
  planned: PatternSubscription;
  rivulet: Rivulet;
  logger: Logger;
  failing: FailingFilters;
  hooks(context: RivuletContext): ProcessingHooks;
}

/** Calls the handlers of one subscription, as Nest registered them. */
export class PatternDispatch {
  private readonly options: PatternDispatchOptions;
  private readonly fanOut = new FanOut<PatternHandler>();

  constructor(options: PatternDispatchOptions) {
    this.options = options;
  }

  /** Resolves when every handler has ended. Rejects with what decides how the delivery is settled. */
  handle(delivery: Delivery): Promise<void> {
    const { message, events } = this.options.planned;
    // As with Nest's own transports: whoever has a handler answers, and an event reaches whatever handler there is.
    if (delivery.message.replyTo !== undefined) return this.answer(message ?? events[0]!, delivery);
    const handlers = events.length > 0 ? events : [message!];
    const context = new RivuletContext(delivery, handlers[0]!.pattern);
    return withinHooks(this.options.hooks(context), () => this.notify(handlers, delivery, context));
  }

  private notify(
    handlers: readonly PatternHandler[],
    delivery: Delivery,
    context: RivuletContext,
  ): Promise<void> {
    const [only, second] = handlers;
    if (!second) return this.run(only!, delivery, context);
    const { messageId, topic } = delivery.message;
    return this.fanOut.run(
      messageId,
      handlers,
      // Each knows its own error, so each has its own context.
      (handler) => this.run(handler, delivery, new RivuletContext(delivery, handler.pattern)),
      ({ origin }, error) =>
        this.options.logger.warn(
          `${origin} failed, too, with message ${messageId} of topic "${topic}": ${describeError(error)}`,
        ),
    );
  }

  private async run(
    handler: PatternHandler,
    delivery: Delivery,
    context: RivuletContext,
  ): Promise<void> {
    try {
      await lastOf(await handler.callback(delivery.body, context), delivery);
    } catch (thrown) {
      const error = originalError(
        afterFailedFilter(thrown, context, this.options.failing),
        context,
      );
      this.options.logger.debug(failedAttempt(delivery, error));
      throw error;
    }
  }

  /** An error is an answer, too, and never a retry: whoever asked knows, and asks again if it wants to. */
  private answer(handler: PatternHandler, delivery: Delivery): Promise<void> {
    const { rivulet, hooks, logger } = this.options;
    const context = new RivuletContext(delivery, handler.pattern);
    const responder = rivulet.responder(delivery);
    return withinHooks(hooks(context), async () => {
      try {
        await answer(await handler.callback(delivery.body, context), responder, delivery);
      } catch (thrown) {
        // Given up, not failed: it is delivered again, and whoever handles it then may still answer in time.
        if (delivery.signal.aborted) throw thrown;
        const given = afterFailedFilter(thrown, context, this.options.failing);
        logFailedRequest(logger, delivery, originalError(given, context));
        await responder.error(payloadForCaller(given));
      }
    });
  }
}
