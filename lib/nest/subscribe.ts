import { Payload } from '@nestjs/microservices';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants.js';
import type { BatchOptions } from '../core/consumer/batch/batch-options.js';
import type { ConcurrencyPer } from '../core/consumer/per-key/concurrency-per.js';
import type { OrderedOptions } from '../core/consumer/ordered/ordered-rules.js';
import type { RetryOptions } from '../core/consumer/retry-policy.js';
import type { SubscriptionMode } from '../core/consumer/subscription.js';
import type { MessageFilter } from '../core/filter/message-filter.js';
import type { IdempotentOptions } from '../core/idempotency/idempotent-options.js';
import { InvalidOptionsError } from '../core/message/errors.js';
import { isOptions, notOptions } from '../core/message/options.js';
import {
  topicArgumentProblem,
  type TopicDefinition,
  type TopicName,
} from '../core/message/topic.js';
import type { RateLimit } from '../core/store/rate-limit-store.js';
import type { StartFrom } from '../core/store/refs.js';
import type { ComposableDecorator } from './composable-decorator.js';
import { requireLegacyDecorators } from './legacy-decorators.js';
import { methodName } from './method-name.js';
import type { RivuletContext } from './rivulet-context.js';

/** How a handler consumes; also the extras of `@EventPattern` and `@MessagePattern`. */
export interface HandlerOptions extends OrderedOptions {
  /** Consumer group. Default: the module's `group`. It is never derived from a method's name. */
  group?: string | undefined;
  /** Handlers that run at the same time in this process. Default 8. */
  concurrency?: number | undefined;
  /** Default 15 min. */
  handlerTimeoutMs?: number | undefined;
  retry?: RetryOptions | undefined;
  /** Where a new group begins; default `earliest`. With `broadcasting`, where each process begins; default `latest`. */
  from?: StartFrom | undefined;
  /**
   * Which messages the handler wants: `tags('created || paid')`, `selector("amount > 100")` or `headers({ … })`. Others
   * count as settled, without an attempt. All members of a group must have the same.
   */
  filter?: MessageFilter | undefined;
  /** The group's filter is being changed, member by member: none is refused for having another one. Default false. */
  allowFilterChange?: boolean | undefined;
  /**
   * Run the handler once for each dedup key (default: the `dedupId` of the message, else its id), also when the message
   * is delivered again. Default false.
   */
  idempotent?: boolean | IdempotentOptions | undefined;
  /**
   * How often the handler may begin in all processes together: `max` at once, and `max` for each `perMs` after that.
   * Every attempt counts, and every message of a batch.
   */
  rateLimit?: RateLimit | undefined;
  /**
   * How many handlers may run at once for messages with the same key (`{ key: 'tenant', max: 2 }`: the same property), in
   * all processes together. What waits for its turn holds no slot and costs no attempt; messages of other keys go on. In a
   * batch each message counts. Members must say the same.
   */
  concurrencyPer?: ConcurrencyPer | undefined;
  /** What the module's `handlers` call it. Default `ClassName.methodName`. */
  name?: string | undefined;
  /**
   * `clustering` (default): members share the messages of their group. `broadcasting`: every process gets every message,
   * e.g. to forget what it has cached; nothing is tried again or becomes a dead letter, and what comes while a process is
   * down does not reach it.
   */
  mode?: SubscriptionMode | undefined;
}

export interface SubscribeOptions extends HandlerOptions {
  /** Answer requests with what the handler returns. Default false. */
  reply?: boolean | undefined;
  /** Name of the `RivuletModule` to subscribe with, when an application has several. Default: the one without a name. */
  instance?: string | undefined;
}

/** One `@Subscribe` or `@SubscribeBatch` of a method. */
export interface SubscribeMetadata {
  readonly topic: TopicName;
  readonly options: SubscribeOptions & { batch?: BatchOptions };
  readonly isBatch: boolean;
}

/**
 * Fits methods that take the body first, or nothing, or the context first (`@Ctx()`): what each parameter gets is up to
 * Nest's parameter decorators.
 */
export type SubscribeDecorator<Body, Context = RivuletContext> = ComposableDecorator &
  (<
    F extends
      // oxlint-disable-next-line typescript/no-explicit-any -- what follows the first parameter is up to Nest
      ((body: Body, ...rest: any[]) => unknown) | ((ctx: Context, ...rest: any[]) => unknown),
  >(
    target: object,
    method: string,
    descriptor: TypedPropertyDescriptor<F>,
  ) => void);

const KEY = 'nestjs-rivulet:subscribe';

/**
 * Handle the messages of a topic, in a consumer group, with any method of any provider or controller.
 *
 * Returning acks; throwing is another attempt by the retry policy. Pipes, guards, interceptors and filters work as in a
 * controller. A method may subscribe several times.
 */
export function Subscribe<Body>(
  topic: TopicDefinition<Body>,
  options?: SubscribeOptions,
): SubscribeDecorator<Body>;
// oxlint-disable-next-line typescript/no-explicit-any -- a bare name says nothing about the body
export function Subscribe(topic: string, options?: SubscribeOptions): SubscribeDecorator<any>;
export function Subscribe(
  topic: TopicName,
  options: SubscribeOptions = {},
): SubscribeDecorator<never> {
  return declareSubscription('@Subscribe', { topic, options, isBatch: false });
}

/** Notes the subscription on the method. */
export function declareSubscription(
  decorator: string,
  metadata: SubscribeMetadata,
): SubscribeDecorator<never> {
  return (target: object, method: string | symbol, descriptor?: PropertyDescriptor) => {
    requireLegacyDecorators(decorator, method);
    const where = `${decorator} of ${methodName(target, method)}`;
    const { topic, options } = metadata;
    const problems = [
      typeof target === 'function' || typeof descriptor?.value !== 'function'
        ? 'only methods of instances can be handlers'
        : undefined,
      typeof method === 'symbol'
        ? 'its method must be named by a text: Nest looks for no symbols'
        : undefined,
      topicArgumentProblem(topic),
      isOptions(options) ? undefined : notOptions('options', options),
    ].filter((problem) => problem !== undefined);
    if (problems.length > 0) throw new InvalidOptionsError(where, problems);
    // By class and name, not on the function: a decorator that replaces the function would lose it.
    const others = (Reflect.getOwnMetadata(KEY, target, method) ?? []) as SubscribeMetadata[];
    Reflect.defineMetadata(KEY, [metadata, ...others], target, method);
    // As Nest does for patterns: without parameter decorators the first parameter is the body, and pipes apply to it.
    if (!Reflect.hasMetadata(PARAM_ARGS_METADATA, target.constructor, method))
      Payload()(target, method, 0);
  };
}

export function subscribeMetadata(prototype: object, method: string): SubscribeMetadata[] {
  return (Reflect.getMetadata(KEY, prototype, method) ?? []) as SubscribeMetadata[];
}
