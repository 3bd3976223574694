import { DELAY_LEVELS_MS } from '../message/delay-level.js';
import { InvalidOptionsError } from '../message/errors.js';
import {
  describeValue,
  integerProblem,
  isOptions,
  notOptions,
  unknownOptions,
} from '../message/options.js';

export interface RetryOptions {
  /** Attempts in all, the first included. Default 16. */
  maxAttempts?: number | undefined;
  /**
   * Pause before the next attempt. `rocketmq` (default): 10 s, 30 s, 1 to 10 min, 20 min, 30 min, 1 h, 2 h.
   * A function gets the attempt that failed (from 1) and the error, and answers milliseconds.
   */
  backoff?:
    ('rocketmq' | ExponentialBackoff | ((attempt: number, error: unknown) => number)) | undefined;
}

export interface ExponentialBackoff {
  /** Pause after the first attempt. */
  fromMs: number;
  /** Longest pause. Default 2 h. */
  toMs?: number | undefined;
  /** Default 2. */
  factor?: number | undefined;
  /** Share of the pause that is random, 0 to 1, so that failures of one moment do not come back together. Default 0.2. */
  jitter?: number | undefined;
}

export interface RetryPolicy {
  readonly maxAttempts: number;
  /** Pause after the failed attempt (from 1), in whole milliseconds. Never throws. */
  delayMs(attempt: number, error: unknown): number;
}

const DEFAULT_MAX_ATTEMPTS = 16;
const LONGEST_MS = 2 * 3_600_000;

/** Delay levels 3 to 18, which RocketMQ's concurrent consumers retry by. */
const ROCKETMQ_RETRY_MS: readonly number[] = DELAY_LEVELS_MS.slice(2);

/** @throws InvalidOptionsError naming every problem. */
export function retryPolicy(
  options: RetryOptions,
  random: () => number = Math.random,
): RetryPolicy {
  const problems = retryProblems(options);
  if (problems.length > 0) throw new InvalidOptionsError('retry', problems);
  const { maxAttempts = DEFAULT_MAX_ATTEMPTS, backoff = 'rocketmq' } = options;
  return { maxAttempts, delayMs: delayFunction(backoff, random) };
}

export function retryProblems(options: RetryOptions): string[] {
  if (!isOptions(options)) return [notOptions('retry', options)];
  const { maxAttempts, backoff } = options;
  const known = ['maxAttempts', 'backoff'] as const satisfies readonly (keyof RetryOptions)[];
  const problems: (string | undefined)[] = [
    ...unknownOptions(options, known).map((problem) => `retry: ${problem}`),
    maxAttempts === undefined
      ? undefined
      : integerProblem('retry.maxAttempts', maxAttempts, { min: 1 }),
  ];
  if (typeof backoff === 'object' && backoff !== null)
    problems.push(...exponentialProblems(backoff));
  else if (backoff !== undefined && backoff !== 'rocketmq' && typeof backoff !== 'function')
    problems.push(
      `retry.backoff must be "${'rocketmq' satisfies RetryOptions['backoff']}", { fromMs, … } or a function, got: ${describeValue(backoff)}`,
    );
  return problems.filter((problem) => problem !== undefined);
}

const KNOWN_OF_BACKOFF = [
  'fromMs',
  'toMs',
  'factor',
  'jitter',
] as const satisfies readonly (keyof ExponentialBackoff)[];

function exponentialProblems(backoff: ExponentialBackoff): (string | undefined)[] {
  const { fromMs, toMs, factor, jitter } = backoff;
  return [
    ...unknownOptions(backoff, KNOWN_OF_BACKOFF).map((problem) => `retry.backoff: ${problem}`),
    integerProblem('retry.backoff.fromMs', fromMs, { min: 0 }),
    toMs === undefined ? undefined : integerProblem('retry.backoff.toMs', toMs, { min: 0 }),
    factor === undefined || (Number.isFinite(factor) && factor >= 1)
      ? undefined
      : `retry.backoff.factor must be at least 1, got: ${describeValue(factor)}`,
    jitter === undefined || (Number.isFinite(jitter) && jitter >= 0 && jitter <= 1)
      ? undefined
      : `retry.backoff.jitter must be from 0 to 1, got: ${describeValue(jitter)}`,
  ];
}

function delayFunction(
  backoff: NonNullable<RetryOptions['backoff']>,
  random: () => number,
): (attempt: number, error: unknown) => number {
  if (backoff === 'rocketmq') return (attempt) => rocketmqDelayMs(attempt);
  if (typeof backoff === 'object') return (attempt) => exponentialDelayMs(backoff, attempt, random);
  return (attempt, error) => {
    // A user's function that fails or answers nonsense must not lose the message: the default pause applies.
    try {
      const delayMs = backoff(attempt, error);
      return Number.isFinite(delayMs) && delayMs >= 0
        ? Math.round(delayMs)
        : rocketmqDelayMs(attempt);
    } catch {
      return rocketmqDelayMs(attempt);
    }
  };
}

function rocketmqDelayMs(attempt: number): number {
  return (
    ROCKETMQ_RETRY_MS[Math.min(attempt, ROCKETMQ_RETRY_MS.length) - 1] ?? ROCKETMQ_RETRY_MS[0]!
  );
}

function exponentialDelayMs(
  backoff: ExponentialBackoff,
  attempt: number,
  random: () => number,
): number {
  const { fromMs, toMs = LONGEST_MS, factor = 2, jitter = 0.2 } = backoff;
  const full = Math.min(fromMs * factor ** (attempt - 1), toMs);
  return Math.round(full * (1 - jitter * random()));
}
