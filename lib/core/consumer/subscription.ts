import { MessageFilter } from '../filter/message-filter.js';
import { compileTopicPattern, isTopicPattern } from '../filter/topic-pattern.js';
import { isInstance } from '../message/any-copy.js';
import { InvalidOptionsError } from '../message/errors.js';
import type { MessageView } from '../message/message.js';
import { groupProblem, topicProblem } from '../message/names.js';
import { describeValue, integerProblem } from '../message/options.js';
import type { StandardSchema } from '../message/topic.js';
import type { RateLimit } from '../store/rate-limit-store.js';
import type { StartFrom } from '../store/refs.js';
import type { Outcome } from './outcome.js';
import {
  ORDERED_BACKOFF,
  type OrderedOptions,
  orderedProblems,
  type OrderedRules,
  orderedRules,
} from './ordered/ordered-rules.js';
import { type ConcurrencyPer, concurrencyPerProblems } from './per-key/concurrency-per.js';
import { rateLimitProblems } from './rate-limit.js';
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
   * Ordered subscriptions only: grows with every owner of the queue, so a store that keeps the highest one for each
   * message group can refuse an owner that was paused and does not know that it has been followed.
   */
  readonly fencingToken: number | undefined;
  /**
   * Aborts when the handler's time is up, when the delivery was given to somebody else, or when the drain limit of
   * a shutdown is reached. What the handler does afterwards is not settled.
   */
  readonly signal: AbortSignal;
  /** Whether `signal` has aborted. Costs nothing, while a signal is made for whoever asks for it. */
  readonly isAborted: boolean;
}

/** Resolves: acked. Rejects: by the retry policy. What it resolves with is ignored, except by request-reply. */
export type Handler = (delivery: Delivery) => unknown;

export type SubscriptionMode = 'clustering' | 'broadcasting';

/** A delivery as whoever stands around the handler sees it. */
export interface GuardedDelivery extends Delivery {
  /** When this process began with it, by the monotonic clock. */
  readonly startedAt: number;
  /** Tells the handler, by its signal, that its work is not wanted any more. Its outcome counts as usual. */
  abort(reason: Error): void;
  /** The handler has ended: its slot is free, while what is left is recorded. Safe to repeat. */
  handled(): void;
}

/**
 * Stands around a handler, once the body was decoded and checked. It may answer an outcome of its own instead of running
 * the handler; `handle` never rejects, and neither does what it answers. What it throws is taken for an error of the handler.
 */
export type Middleware = (
  delivery: GuardedDelivery,
  handle: () => Outcome | Promise<Outcome>,
) => Promise<Outcome>;

export interface SubscriptionOptions extends OrderedOptions {
  /**
   * A topic, or a pattern of topics: `order.*` (one word), `order.#` or `order.>` (any number of words). Topics that fit are
   * consumed in the same group, also those that are made later: from their start.
   */
  topic: string;
  /** What the user called the topic, when that is not its name: for metrics. */
  declared?: string | undefined;
  group: string;
  handler: Handler;
  /** The handler waits for other deliveries before it handles them together. */
  isBatch?: boolean;
  around?: Middleware | undefined;
  /** Where the handler was declared, for errors and log lines, e.g. `BillingService.charge`. */
  origin: string;
  /** Handlers that run at the same time in this process. Default 8. */
  concurrency?: number;
  /** Default 15 min, as RocketMQ's consumeTimeout. */
  handlerTimeoutMs?: number;
  retry?: RetryOptions;
  /**
   * `clustering` (default): the members of the group share its messages. `broadcasting`: every process gets every
   * message, once and without retries or dead letters; it keeps its own place, which is lost when it ends.
   */
  mode?: SubscriptionMode;
  /**
   * Where a new group begins; default `earliest`. With `broadcasting`, where each process begins; default `latest`.
   */
  from?: StartFrom;
  /**
   * Which messages are wanted; others count as settled without an attempt or a slot, and their bodies are not looked
   * into. All members of a group must have the same.
   */
  filter?: MessageFilter;
  /**
   * How often handlers may begin in all processes together: `max` at once, and `max` for each `perMs` after that. Every
   * attempt counts. Members that say different things are each held to their own.
   */
  rateLimit?: RateLimit;
  /**
   * How many handlers may run at once for messages with the same key, in all processes together. What waits for its turn
   * holds no slot and costs no attempt; messages of other keys go on. Members must say the same.
   */
  concurrencyPer?: ConcurrencyPer;
  /** The group's filter is being changed, member by member: none is refused for having another one. Default false. */
  allowFilterChange?: boolean;
  schema?: StandardSchema;
  /** Tells from an error of the handler that no attempt will succeed: the reason, or undefined. */
  rejection?: (error: unknown) => string | undefined;
  /**
   * Tells whoever sent a request that its body cannot be handed to the handler. Given by those that answer requests: the
   * refusal is the answer then, and the request is settled with it. Must not reject.
   */
  refuse?: (delivery: Delivery, error: Error) => Promise<void>;
}

const DEFAULT_CONCURRENCY = 8;
const DEFAULT_HANDLER_TIMEOUT_MS = 15 * 60_000;

/** A consumer group + topic + handler, checked and with every default filled in. */
export interface Subscription {
  readonly topic: string;
  /** What the user called the topic: its name, a pattern of topics, or the pattern of a Nest handler. */
  readonly declared: string;
  readonly group: string;
  readonly handler: Handler;
  readonly isBatch: boolean;
  readonly around: Middleware | undefined;
  readonly origin: string;
  readonly concurrency: number;
  readonly handlerTimeoutMs: number;
  readonly retry: RetryPolicy;
  readonly mode: SubscriptionMode;
  readonly from: StartFrom;
  /** Undefined: not ordered. */
  readonly ordered: OrderedRules | undefined;
  readonly filter: MessageFilter | undefined;
  readonly rateLimit: RateLimit | undefined;
  readonly concurrencyPer: ConcurrencyPer | undefined;
  readonly allowFilterChange: boolean;
  readonly schema: StandardSchema | undefined;
  readonly rejection: (error: unknown) => string | undefined;
  readonly refuse: ((delivery: Delivery, error: Error) => Promise<void>) | undefined;
}

/**
 * @param found problems that the caller found; reported together with those found here.
 * @throws InvalidOptionsError naming every problem and the handler it was declared on.
 */
export function subscription(
  options: SubscriptionOptions,
  found: readonly string[] = [],
): Subscription {
  const { topic, group, handler, origin, concurrency = DEFAULT_CONCURRENCY } = options;
  const { handlerTimeoutMs = DEFAULT_HANDLER_TIMEOUT_MS, retry = {} } = options;
  const { filter, allowFilterChange = false, mode = 'clustering' } = options;
  const { from = mode === 'broadcasting' ? 'latest' : 'earliest' } = options;
  const problems = [
    topicsProblem(options),
    groupProblem(group),
    integerProblem('concurrency', concurrency, { min: 1, max: 10_000 }),
    integerProblem('handlerTimeoutMs', handlerTimeoutMs, { min: 1 }),
    startProblem(from),
    ...retryProblems(retry),
    ...modeProblems(mode, options),
    ...orderedProblems(options),
    ...rateLimitProblems(options.rateLimit, mode),
    ...concurrencyPerProblems(options),
    filterProblem(filter),
    typeof allowFilterChange === 'boolean'
      ? undefined
      : `allowFilterChange must be true or false, got: ${describeValue(allowFilterChange)}`,
    ...found,
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new InvalidOptionsError(origin, problems);
  const ordered = orderedRules(options);
  return {
    topic,
    declared: options.declared ?? topic,
    group,
    handler,
    isBatch: options.isBatch ?? false,
    around: options.around,
    origin,
    concurrency,
    handlerTimeoutMs,
    retry: retryPolicy(ordered ? { backoff: ORDERED_BACKOFF, ...retry } : retry),
    mode,
    ordered,
    from,
    filter,
    rateLimit: options.rateLimit,
    concurrencyPer: options.concurrencyPer,
    allowFilterChange,
    schema: options.schema,
    rejection: options.rejection ?? (() => undefined),
    refuse: options.refuse,
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

function topicsProblem({ topic }: SubscriptionOptions): string | undefined {
  if (!isTopicPattern(topic)) return topicProblem(topic);
  try {
    compileTopicPattern(topic);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Options that would promise what a mode does not do. */
function modeProblems(
  mode: SubscriptionMode,
  { retry, around, ordered }: SubscriptionOptions,
): (string | undefined)[] {
  if (mode === 'broadcasting')
    return [
      retry && 'retry has no place with mode "broadcasting": nothing is tried again there',
      around &&
        'idempotent has no place with mode "broadcasting": of all processes only one would handle a message',
      ordered === undefined || ordered === false
        ? undefined
        : 'ordered has no place with mode "broadcasting": nobody owns a queue there',
    ];
  if (mode === 'clustering') return [];
  return [
    `mode must be "${'clustering' satisfies SubscriptionMode}" or "${'broadcasting' satisfies SubscriptionMode}", ` +
      `got: ${describeValue(mode satisfies never)}`,
  ];
}

function filterProblem(filter: unknown): string | undefined {
  if (filter === undefined || isInstance(filter, MessageFilter)) return undefined;
  return `filter must be made by tags(), selector() or headers(), got: ${describeValue(filter)}`;
}
