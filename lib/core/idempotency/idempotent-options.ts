import type { SubscriptionMode } from '../consumer/subscription.js';
import type { MessageView } from '../message/message.js';
import { describeValue, integerProblem, unknownOptions } from '../message/options.js';

export interface IdempotentOptions {
  /**
   * Which messages are the same work. Default: the `dedupId` they were sent with, else the message id. Never the
   * business `key` unless you say so here. Means the same only within one consumer group and topic.
   *
   * Answers text of 1 to 255 characters; anything else makes a dead letter of the message. Throwing fails the attempt.
   */
  key?(message: MessageView, body: unknown): string;
  /** How long a handled message is remembered. Default 24 h. With a `participant` at most `transactions.inboxKeptMs`. */
  ttlMs?: number | undefined;
  /**
   * Keep the answer to a request (at most 64 KiB), so that a duplicate gets the same one. Default false: a duplicate
   * request is answered with an error that says so. Answers that are errors are never kept.
   */
  storeResult?: boolean | undefined;
  /**
   * Name of a database that takes part in transactions (`transactions.participants`): the handler runs in a transaction
   * of it that first notes the dedup key, so that its writes, and the messages it sends, are there once, also when Redis
   * loses its data. An answer to a request is sent before the COMMIT. Default: Redis alone remembers.
   */
  participant?: string | undefined;
}

const DEFAULT_TTL_MS = 24 * 3_600_000;

/** With every default filled in. */
export interface IdempotentSettings {
  readonly key: ((message: MessageView, body: unknown) => unknown) | undefined;
  readonly ttlMs: number;
  readonly storeResult: boolean;
  readonly participant: string | undefined;
}

/** Undefined: not idempotent. */
export function idempotentSettings(
  given: boolean | IdempotentOptions | undefined,
): IdempotentSettings | undefined {
  if (given === undefined || given === false) return undefined;
  const { ttlMs = DEFAULT_TTL_MS, storeResult = false } = given === true ? {} : given;
  // Called as a method: it may use its neighbours.
  const key = given !== true && given.key && given.key.bind(given);
  const participant = given === true ? undefined : given.participant;
  return { key: key || undefined, ttlMs, storeResult, participant };
}

/** Every problem, for whoever collects them. */
export function idempotentProblems(given: unknown, mode?: SubscriptionMode): string[] {
  if (given === undefined || given === false) return [];
  if (mode === 'broadcasting')
    return [
      'idempotent has no place with mode "broadcasting": there every process handles every message',
    ];
  if (given === true) return [];
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return [
      `idempotent must be true, false or { key, ttlMs, storeResult, participant }, got: ${describeValue(given)}`,
    ];
  const { key, ttlMs, storeResult, participant } = given as {
    [K in keyof IdempotentOptions]: unknown;
  };
  const known = [
    'key',
    'ttlMs',
    'storeResult',
    'participant',
  ] satisfies (keyof IdempotentOptions)[];
  return [
    ...unknownOptions(given, known).map((problem) => `idempotent: ${problem}`),
    key === undefined || typeof key === 'function'
      ? undefined
      : `idempotent.key must be a function of the message and its body, got: ${describeValue(key)}`,
    ttlMs === undefined ? undefined : integerProblem('idempotent.ttlMs', ttlMs, { min: 1 }),
    storeResult === undefined || typeof storeResult === 'boolean'
      ? undefined
      : `idempotent.storeResult must be true or false, got: ${describeValue(storeResult)}`,
    participant === undefined || typeof participant === 'string'
      ? undefined
      : `idempotent.participant must be the name of a database, got: ${describeValue(participant)}`,
  ].filter((problem) => problem !== undefined);
}

/** A database forgets by one rule for all groups: nothing may be promised beyond it. */
export function inboxProblems(
  given: boolean | IdempotentOptions | undefined,
  { inboxKeptMs }: { inboxKeptMs: number },
): string[] {
  if (typeof given !== 'object' || given?.participant === undefined) return [];
  const { ttlMs = DEFAULT_TTL_MS, participant } = given;
  if (!(ttlMs > inboxKeptMs)) return [];
  return [
    `idempotent.ttlMs (${ttlMs}) is longer than participant "${participant}" remembers what was handled (transactions.inboxKeptMs ${inboxKeptMs}): ` +
      'a message that comes again later would be handled twice. Raise inboxKeptMs in every process that shares the database, or lower ttlMs',
  ];
}
