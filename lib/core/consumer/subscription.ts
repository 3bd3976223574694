import { InvalidOptionsError } from '../message/errors.js';
import type { MessageView } from '../message/message.js';
import { groupProblem, topicProblem } from '../message/names.js';
import { describeValue, integerProblem } from '../message/options.js';
import type { StandardSchema } from '../message/topic.js';
import type { StartFrom } from '../store/refs.js';
import { type RetryOptions, type RetryPolicy, retryPolicy, retryProblems } from './retry-policy.js';

/** What a handler gets. */
export interface Delivery {
  readonly message: MessageView;
  /** The decoded body, checked against the topic's schema if there is one. */
  readonly body: unknown;
  readonly group: string;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /**
   * Aborts when the handler's time is up, when the delivery was given to somebody else, or when the drain limit of
   * a shutdown is reached. What the handler does afterwards is not settled.
   */
  readonly signal: AbortSignal;
}

/** Resolves: acked. Rejects: by the retry policy. What it resolves with is ignored, except by request-reply. */
export type Handler = (delivery: Delivery) => unknown;

export interface SubscriptionOptions {
  topic: string;
  group: string;
  handler: Handler;
  /** Where the handler was declared, for errors and log lines, e.g. `BillingService.charge`. */
  origin: string;
  /** Handlers that run at the same time in this process. Default 8. */
  concurrency?: number;
  /** Default 15 min, as RocketMQ's consumeTimeout. */
  handlerTimeoutMs?: number;
  retry?: RetryOptions;
  /** Where a new group begins. Default `earliest`. */
  from?: StartFrom;
  schema?: StandardSchema;
  /** Tells from an error of the handler that no attempt will succeed: the reason, or undefined. */
  rejection?: (error: unknown) => string | undefined;
}

const DEFAULT_CONCURRENCY = 8;
const DEFAULT_HANDLER_TIMEOUT_MS = 15 * 60_000;

/** A consumer group + topic + handler, checked and with every default filled in. */
export interface Subscription {
  readonly topic: string;
  readonly group: string;
  readonly handler: Handler;
  readonly origin: string;
  readonly concurrency: number;
  readonly handlerTimeoutMs: number;
  readonly retry: RetryPolicy;
  readonly from: StartFrom;
  readonly schema: StandardSchema | undefined;
  readonly rejection: (error: unknown) => string | undefined;
}

/** @throws InvalidOptionsError naming every problem and the handler it was declared on. */
export function subscription(options: SubscriptionOptions): Subscription {
  const { topic, group, handler, origin, concurrency = DEFAULT_CONCURRENCY } = options;
  const { handlerTimeoutMs = DEFAULT_HANDLER_TIMEOUT_MS, retry = {}, from = 'earliest' } = options;
  const problems = [
    topicProblem(topic),
    groupProblem(group),
    integerProblem('concurrency', concurrency, { min: 1, max: 10_000 }),
    integerProblem('handlerTimeoutMs', handlerTimeoutMs, { min: 1 }),
    startProblem(from),
    ...retryProblems(retry),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new InvalidOptionsError(origin, problems);
  return {
    topic,
    group,
    handler,
    origin,
    concurrency,
    handlerTimeoutMs,
    retry: retryPolicy(retry),
    from,
    schema: options.schema,
    rejection: options.rejection ?? (() => undefined),
  };
}

function startProblem(from: StartFrom): string | undefined {
  if (
    from === 'earliest' ||
    from === 'latest' ||
    (from instanceof Date && !Number.isNaN(from.getTime()))
  )
    return undefined;
  return (
    `from must be "${'earliest' satisfies StartFrom}", "${'latest' satisfies StartFrom}" or a valid Date, ` +
    `got: ${describeValue(from satisfies Date)}`
  );
}

/** Two handlers of one application would compete for the messages of one group. */
export class DuplicateSubscriptionError extends InvalidOptionsError {
  constructor(first: Subscription, second: Subscription) {
    super(`Two handlers share consumer group "${first.group}" on topic "${first.topic}"`, [
      `${first.origin} and ${second.origin}`,
      'each message would reach only one of them',
      'give one its own group, or merge the handlers',
    ]);
  }
}
