import { knownToCopies } from './any-copy.js';
import type { MessageId } from './message-id.js';

/**
 * Base of every error the library throws on purpose: branch on `code`, read the rest. The text says what, where,
 * what follows and what to do.
 */
export abstract class RivuletError extends Error {
  static {
    knownToCopies(this, 'RivuletError');
  }

  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The caller's input cannot be accepted; nothing was done. Repeating the call changes nothing. */
export class InvalidInputError extends RivuletError {
  readonly code = 'INVALID_INPUT';
  readonly problems: readonly string[];

  constructor(where: string, problems: readonly string[]) {
    const said = problems.join('; ');
    super(`${where}: ${said}${said.endsWith('?') ? '' : '.'} Nothing was done.`);
    this.problems = problems;
  }
}

/** The configuration contradicts itself or names something unknown; every problem is listed at once. */
export class InvalidOptionsError extends RivuletError {
  readonly code = 'INVALID_OPTIONS';
  readonly problems: readonly string[];

  constructor(where: string, problems: readonly string[]) {
    super(`${where}: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

/** The body cannot become bytes, or the bytes no body. `path` leads to the offending value. */
export class CodecError extends RivuletError {
  static {
    knownToCopies(this, 'CodecError');
  }

  readonly code = 'CODEC';
  readonly path: string;
  /** Where it was sent, or read. Undefined when a codec throws it, which the library then says. */
  readonly topic: string | undefined;
  /** Of the message that was read, or of the request whose answer was. */
  readonly messageId: MessageId | undefined;

  constructor(
    message: string,
    options: ErrorOptions & { path?: string; topic?: string; messageId?: MessageId } = {},
  ) {
    super(message, options);
    this.path = options.path ?? '$';
    this.topic = options.topic;
    this.messageId = options.messageId;
  }
}

/** The body does not match the schema of its topic. Never retried: the same body will not match later. */
export class SchemaError extends RivuletError {
  static {
    knownToCopies(this, 'SchemaError');
  }

  readonly code = 'SCHEMA';
  readonly topic: string;
  readonly issues: readonly string[];

  constructor(topic: string, issues: readonly string[]) {
    super(`The body does not match the schema of topic "${topic}": ${issues.join('; ')}`);
    this.topic = topic;
    this.issues = issues;
  }
}

/** The message is not stored and never will be: it is safe to send it again. */
export class SendFailedError extends RivuletError {
  readonly code: string = 'SEND_FAILED';
  readonly topic: string;
  readonly messageId: MessageId;

  constructor(
    text: string,
    facts: { topic: string; messageId: MessageId },
    options?: ErrorOptions,
  ) {
    super(text, options);
    this.topic = facts.topic;
    this.messageId = facts.messageId;
  }
}

/**
 * The producer's buffer is full, and either `whenBufferFull` is "fail" or as many wait for room as may
 * (`maxWaitingBytes`): nothing was stored.
 */
export class ProducerBufferFullError extends SendFailedError {
  override readonly code = 'PRODUCER_BUFFER_FULL';
}

/** As many of something wait as `limit`, a setting, allows: nothing was stored. Wait for some of them, then call again. */
export class LimitReachedError extends RivuletError {
  readonly code = 'LIMIT_REACHED';
  readonly limit: string;

  constructor(text: string, facts: { limit: string }) {
    super(text);
    this.limit = facts.limit;
  }
}

/** The topic holds as many messages as its `maxLength` allows: nothing was stored. */
export class TopicFullError extends SendFailedError {
  override readonly code = 'TOPIC_FULL';
}

/** The store is out of memory and refuses new messages, while consuming goes on: nothing was stored. */
export class FlowBlockedError extends SendFailedError {
  override readonly code = 'FLOW_BLOCKED';
}

/**
 * The store did not answer in time: the message may be stored, or not. Sending it again may double it unless both
 * sends carry the same `dedupId`. `messageId` finds it later (`MessageAdmin.findById`).
 */
export class SendOutcomeUnknownError extends RivuletError {
  readonly code = 'SEND_OUTCOME_UNKNOWN';
  readonly topic: string;
  readonly messageId: MessageId;

  constructor(
    text: string,
    facts: { topic: string; messageId: MessageId },
    options?: ErrorOptions,
  ) {
    super(text, options);
    this.topic = facts.topic;
    this.messageId = facts.messageId;
  }
}

/**
 * The store cannot be reached or did not answer; whether it acted is not known (of an `AcksMissedError` it is). The call can be
 * repeated.
 */
export class StoreUnavailableError extends RivuletError {
  readonly code: 'STORE_UNAVAILABLE' | 'ACKS_MISSED' = 'STORE_UNAVAILABLE';
}

/**
 * The store did what it was asked, in the memory of one server: the disk or the replicas that `acks` wanted did not confirm it
 * in time. It stays done unless that server fails now. A repeat does nothing twice, and waits again.
 */
export class AcksMissedError extends StoreUnavailableError {
  override readonly code = 'ACKS_MISSED';
  /** What did not confirm it, e.g. "0 of 1 replicas confirmed it in time". */
  readonly missed: string;

  constructor(text: string, facts: { missed: string }, options?: ErrorOptions) {
    super(text, options);
    this.missed = facts.missed;
  }
}

/** Why what was begun is given up: not that it could have stayed. */
export function whyNotKept(error: Error): string {
  return error instanceof AcksMissedError ? error.missed : error.message;
}

/** The store refused the call: it acted on nothing. `reason` is its own word, e.g. `OOM` or `WRONGTYPE`. */
export class StoreRefusedError extends RivuletError {
  readonly code = 'STORE_REFUSED';
  readonly reason: string;

  constructor(text: string, facts: { reason: string }, options?: ErrorOptions) {
    super(text, options);
    this.reason = facts.reason;
  }
}

/** The store was reached and said no: to this call, so that a call about something else may do better. */
export function isRefusal(error: unknown): error is StoreRefusedError {
  return error instanceof StoreRefusedError && error.reason !== 'NOT_SENT';
}

/** Refusals that pass by themselves. */
const PASSING = new Set([
  'NOT_SENT',
  'LOADING',
  'READONLY',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'MOVED',
  'ASK',
  'BUSY',
  'NOREPLICAS',
  'MASTERDOWN',
]);

/** Whether the same call may be taken later. */
export function passes(refusal: StoreRefusedError): boolean {
  return PASSING.has(refusal.reason);
}

/** The store has no memory left: nothing was stored. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof StoreRefusedError && error.reason === 'OOM';
}

/** The store said nothing, or could not be asked: the next one that is there may do it. */
export function isAway(error: unknown): error is RivuletError {
  if (error instanceof StoreRefusedError) return !isRefusal(error);
  return error instanceof StoreUnavailableError;
}

export class TopicNotFoundError extends RivuletError {
  readonly code = 'TOPIC_NOT_FOUND';
}

/** The bytes are no message of ours; `version` is set when a newer library wrote them. */
export class MalformedMessageError extends RivuletError {
  readonly code = 'MALFORMED_MESSAGE';
  readonly version: number | undefined;

  constructor(text: string, facts: { version?: number } = {}) {
    super(text);
    this.version = facts.version;
  }
}

/** Nobody would get the message: it was not stored. `missing`: the groups that were asked for and have not subscribed. */
export class UnroutableMessageError extends RivuletError {
  readonly code = 'UNROUTABLE';
  readonly topic: string;
  readonly missing: readonly string[];

  constructor(topic: string, missing: readonly string[]) {
    const names = missing.map((group) => JSON.stringify(group)).join(', ');
    const who = missing.length === 0 ? 'no consumer group has' : `group ${names} has not`;
    super(
      `The message to topic "${topic}" was not stored: ${who} subscribed to it. Start the consumer, or send without mandatory. ` +
        'A subscription to a pattern counts a second or two after the topic was made: make it with MessageAdmin.createTopic.',
    );
    this.topic = topic;
    this.missing = missing;
  }
}

/** Used after `close`: nothing was stored. */
export class ClosedError extends RivuletError {
  readonly code = 'CLOSED';
}

/** One queue cannot be read; the others are not affected. */
export class QueueFaultedError extends RivuletError {
  readonly code = 'QUEUE_FAULTED';
  readonly topic: string;
  readonly queue: number;
  /** `no-group`: the group or the whole queue vanished. `wrong-type`: the key holds something else. */
  readonly fault: 'no-group' | 'wrong-type';

  constructor(
    text: string,
    facts: { topic: string; queue: number; fault: 'no-group' | 'wrong-type' },
    options?: ErrorOptions,
  ) {
    super(text, options);
    this.topic = facts.topic;
    this.queue = facts.queue;
    this.fault = facts.fault;
  }
}
