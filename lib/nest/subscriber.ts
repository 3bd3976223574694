import type { BatchHandler } from '../core/consumer/batch/batcher.js';
import type { Delivery, Handler } from '../core/consumer/subscription.js';
import type { Logger } from '../core/runtime/logger.js';
import type { Rivulet } from '../core/rivulet.js';
import { given } from '../core/message/options.js';
import { topicOf } from '../core/message/topic.js';
import { answer, lastOf } from './answer.js';
import { BatchContext } from './batch-context.js';
import type { DeclaredHandler, HandlerExplorer } from './explorer.js';
import { failedAttempt, failedBatch } from './failed-attempt.js';
import { errorPayload, logFailedRequest, refusing } from './failed-request.js';
import {
  coreOptions,
  HANDLER_OPTIONS,
  handlerOptionProblems,
  overrideProblems,
} from './handler-options.js';
import type { HandlerRunner, RunHandler } from './handler-runner.js';
import { checkInstanceNames } from './instance-names.js';
import type { ModuleSettings } from './options.js';
import { Problems } from './problems.js';
import { rejection } from './rejection.js';
import { RivuletContext } from './rivulet-context.js';
import type { HandlerOptions, SubscribeMetadata } from './subscribe.js';

const SUBSCRIBE_OPTIONS: readonly string[] = [...HANDLER_OPTIONS, 'reply', 'instance'];
const BATCH_OPTIONS: readonly string[] = [...HANDLER_OPTIONS, 'batch', 'instance'];

export interface SubscriberOptions {
  /** Of the instance; undefined for the default one. */
  name: string | undefined;
  explorer: HandlerExplorer;
  rivulet: Rivulet;
  settings: ModuleSettings;
  runner: HandlerRunner;
  logger: Logger;
}

/** As `RunHandler`, for a delivery. */
type Call = (delivery: Delivery) => unknown;

/** Makes a subscription of each `@Subscribe`. */
export class Subscriber {
  private readonly options: SubscriberOptions;

  constructor(options: SubscriberOptions) {
    this.options = options;
  }

  /** @throws InvalidOptionsError naming every problem of every handler. */
  async subscribeAll(): Promise<void> {
    const { name, explorer, settings } = this.options;
    const all = explorer.subscribeHandlers();
    checkInstanceNames(
      explorer.instanceNames(),
      all.map(({ origin, subscribe }) => ({ origin, instance: subscribe.options.instance })),
    );
    const handlers = all.filter(({ subscribe }) => subscribe.options.instance === name);
    const problems = new Problems();
    const names = [
      ...handlers.map(({ origin, subscribe }) => subscribe.options.name ?? origin),
      ...explorer.patternMethods().map(({ origin, extras }) => nameOf(extras) ?? origin),
    ];
    problems.add('Options of RivuletModule', overrideProblems(settings.handlers, names));
    for (const handler of handlers)
      await problems.collect(() => this.subscribeOne(handler, problems));
    problems.refuse();
  }

  private async subscribeOne(handler: DeclaredHandler, problems: Problems): Promise<void> {
    const { rivulet, settings, runner, logger } = this.options;
    const { origin, subscribe } = handler;
    const found = optionProblems(subscribe);
    const { name = origin, ...declared } = subscribe.options;
    const options = { ...declared, ...given(settings.handlers[name] ?? {}) };
    const group = options.group ?? settings.group;
    if (group === undefined) found.push(NO_GROUP);
    problems.add(origin, found);
    if (group === undefined) return;

    const { topic } = subscribe;
    const pattern = topicOf(topic);
    const run = await runner.runnerFor(handler, pattern);
    const call: Call = (delivery) => run(delivery.body, new RivuletContext(delivery, pattern));
    if (typeof topic !== 'string') rivulet.topics.define(topic);
    const common = {
      topic: pattern,
      group,
      origin,
      rejection,
      ...coreOptions(options),
      ...(typeof topic !== 'string' && given({ schema: topic.options.schema })),
    };
    const { subscription } = subscribe.isBatch
      ? rivulet.subscribeBatch({
          ...common,
          ...given({ batch: options.batch }),
          handler: this.handlingBatch(run, pattern),
        })
      : rivulet.subscribe({
          ...common,
          handler: options.reply ? this.replying(call) : this.handling(call),
          ...(options.reply && { refuse: refusing({ rivulet, logger }) }),
        });
    if (handler.modules.length > 1) logger.warn(severalInstances(handler));
    logger.log(
      `${origin} handles topic "${subscription.topic}" in group "${group}", ${subscription.concurrency} at a time`,
    );
  }

  private handling(call: Call): Handler {
    const complete = async (result: unknown, delivery: Delivery): Promise<void> => {
      try {
        await lastOf(await result, delivery);
      } catch (error) {
        this.options.logger.debug(failedAttempt(delivery, error));
        throw error;
      }
    };
    return (delivery) => {
      try {
        const result = call(delivery);
        return typeof result === 'object' && result !== null ? complete(result, delivery) : result;
      } catch (error) {
        return complete(Promise.reject(error as Error), delivery);
      }
    };
  }

  private handlingBatch(run: RunHandler, pattern: string): BatchHandler {
    return async (deliveries) => {
      const context = new BatchContext(deliveries, pattern);
      try {
        const result = await run(
          deliveries.map(({ body }) => body),
          context,
        );
        return await lastOf(result, context);
      } catch (error) {
        this.options.logger.debug(failedBatch(deliveries, error));
        throw error;
      }
    };
  }

  /** An error is an answer, too, and never a retry. Messages that nobody waits for are handled as usual. */
  private replying(call: Call): Handler {
    const { rivulet, logger } = this.options;
    const handle = this.handling(call);
    return async (delivery) => {
      if (delivery.message.replyTo === undefined) return handle(delivery);
      const responder = rivulet.responder(delivery);
      try {
        await answer(await call(delivery), responder, delivery);
      } catch (error) {
        // Given up, not failed: it is delivered again, and whoever handles it then may still answer in time.
        if (delivery.signal.aborted) throw error;
        logFailedRequest(logger, delivery, error);
        await responder.error(errorPayload(error));
      }
    };
  }
}

const NO_GROUP =
  'no consumer group; give the handler one ({ group }), or set the group of RivuletModule';

function optionProblems({ options, isBatch }: SubscribeMetadata): string[] {
  if (!isBatch) return handlerOptionProblems(options, SUBSCRIBE_OPTIONS);
  const { reply, ...others } = options;
  const found = handlerOptionProblems(others, BATCH_OPTIONS);
  return reply === undefined ? found : [...found, NO_REPLY_OF_BATCH];
}

const NO_REPLY_OF_BATCH =
  'reply has no place with @SubscribeBatch: one call handles many messages, and answers none; answer requests with @Subscribe';

/** Two of them would compete for the messages of one group. */
function severalInstances({ origin, modules }: DeclaredHandler): string {
  return (
    `${origin} has ${modules.length} instances, in ${modules.join(', ')}: that of ${modules[0]} gets every message, the others none. ` +
    'Provide the class in one module, and export it to the others.'
  );
}

function nameOf(extras: HandlerOptions): string | undefined {
  return extras.name;
}
