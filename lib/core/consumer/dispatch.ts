import { isInstance } from '../message/any-copy.js';
import type { Codecs } from '../message/codecs.js';
import { CodecError, MalformedMessageError, SchemaError } from '../message/errors.js';
import type { MessageView } from '../message/message.js';
import { storedAt } from '../message/offset.js';
import { validated } from '../message/topic.js';
import { decodeMessage } from '../message/wire-format.js';
import { isThenable } from '../runtime/thenable.js';
import type { TraceScope } from '../runtime/trace.js';
import type { DeliveredEntry } from '../store/delivery-store.js';
import type { Attempt } from './attempt.js';
import { isGenerator, runToEnd } from './generator.js';
import { RejectMessageError, RetryLaterError } from './handler-errors.js';
import { whyUsedUp } from './history.js';
import { describeError, reasonOf, type Outcome, thrownAs } from './outcome.js';
import type { Subscription } from './subscription.js';

export interface DispatchTools {
  codecs: Codecs;
  trace: TraceScope;
  /** The store's time as this process knows it, Unix ms. */
  storeNow(): number;
}

/** An entry that was read: the message in it, or why it never reaches a handler. */
export type Opened =
  { message: MessageView } | { message: MessageView | undefined; outcome: Outcome };

/** Looks into an entry before a handler is bothered. Never throws. */
export function open(
  entry: DeliveredEntry,
  subscription: Subscription,
  tools: DispatchTools,
): Opened {
  const { content } = entry;
  if (content.kind === 'gone') return { message: undefined, outcome: { kind: 'skipped' } };
  if (content.kind === 'foreign')
    return rejected('not a Rivulet message: another program wrote it, or it is damaged', undefined);
  if (content.only !== null && content.only !== subscription.group)
    return { message: undefined, outcome: { kind: 'skipped' } };
  let message: MessageView;
  try {
    message = decodeMessage(entry, content.frame);
  } catch (error) {
    const version = error instanceof MalformedMessageError ? error.version : undefined;
    if (version !== undefined) return { message: undefined, outcome: { kind: 'held', version } };
    return rejected(`malformed: ${describeError(error)}`, error);
  }
  // What failed was wanted, and what an operator redrives is: neither is lost to a filter that changed meanwhile.
  const isNews = entry.attempt === 1 && content.only === null;
  if (isNews && subscription.filter?.matches(message) === false)
    return { message, outcome: { kind: 'filtered' } };
  if (message.ttlMs !== undefined && tools.storeNow() > storedAt(entry.offset) + message.ttlMs) {
    // Whoever asked has stopped waiting, and was told so: nothing is left to do, or to look into.
    if (message.replyTo !== undefined) return { message, outcome: { kind: 'skipped' } };
    return {
      message,
      outcome: {
        kind: 'rejected',
        reason: `expired: its ttl of ${message.ttlMs} ms has passed`,
        error: undefined,
      },
    };
  }
  if (entry.attempt > subscription.retry.maxAttempts)
    return { message, outcome: { kind: 'rejected', reason: whyUsedUp(entry), error: undefined } };
  return { message };
}

function rejected(reason: string, error: unknown): Opened {
  return { message: undefined, outcome: { kind: 'rejected', reason, error } };
}

/**
 * Run the handler for a message. Never throws and never rejects, whatever the handler does.
 *
 * Answers at once when there is nothing to wait for: a promise per message is much of what a message costs.
 */
export function dispatch(
  attempt: Attempt,
  subscription: Subscription,
  tools: DispatchTools,
): Outcome | Promise<Outcome> {
  const { isBatch } = subscription;
  const handle = (): Outcome | Promise<Outcome> => decodeAndHandle(attempt, subscription, tools);
  return isBatch ? handle() : tools.trace.handling(attempt, handle);
}

function decodeAndHandle(
  attempt: Attempt,
  subscription: Subscription,
  tools: DispatchTools,
): Outcome | Promise<Outcome> {
  const { message } = attempt;
  try {
    attempt.body = tools.codecs.bodyOf(message);
  } catch (error) {
    return refused(attempt, subscription, error);
  }
  return subscription.schema
    ? handleValidated(attempt, subscription, tools)
    : withinAround(attempt, subscription, tools);
}

async function handleValidated(
  attempt: Attempt,
  subscription: Subscription,
  tools: DispatchTools,
): Promise<Outcome> {
  try {
    attempt.body = await validated(attempt.message.topic, attempt.body, subscription.schema!);
  } catch (error) {
    return refused(attempt, subscription, error);
  }
  return withinAround(attempt, subscription, tools);
}

function withinAround(
  attempt: Attempt,
  subscription: Subscription,
  { trace }: DispatchTools,
): Outcome | Promise<Outcome> {
  const { around, isBatch } = subscription;
  if (!around) return handle(attempt, subscription);
  const message = isBatch ? undefined : attempt.message;
  try {
    // What stands around may call it when it is told of another message.
    return around(
      attempt,
      trace.kept(message, () => handle(attempt, subscription)),
    );
  } catch (error) {
    return classify(error, subscription);
  }
}

function handle(attempt: Attempt, subscription: Subscription): Outcome | Promise<Outcome> {
  try {
    const running = subscription.handler(attempt);
    if (typeof running !== 'object' || running === null) return SUCCEEDED;
    if (!isThenable(running))
      return isGenerator(running) ? handleAll(running, attempt, subscription) : SUCCEEDED;
    return Promise.resolve(running).then(
      (result) => (isGenerator(result) ? handleAll(result, attempt, subscription) : SUCCEEDED),
      (error: unknown) => classify(error, subscription),
    );
  } catch (error) {
    return classify(error, subscription);
  }
}

/** A handler that is a generator has done nothing before it is asked for its values. */
async function handleAll(
  generator: AsyncGenerator | Generator,
  attempt: Attempt,
  subscription: Subscription,
): Promise<Outcome> {
  try {
    await runToEnd(generator, () => attempt.signal.throwIfAborted());
    return SUCCEEDED;
  } catch (error) {
    return classify(error, subscription);
  }
}

const SUCCEEDED: Outcome = { kind: 'succeeded' };

/** A body that the handler cannot be given. Whoever waits for an answer gets this one. */
async function refused(
  attempt: Attempt,
  subscription: Subscription,
  error: unknown,
): Promise<Outcome> {
  const isFinal = isInstance(error, SchemaError) || isInstance(error, CodecError);
  if (!isFinal || attempt.message.replyTo === undefined || !subscription.refuse)
    return classify(error, subscription);
  await subscription.refuse(attempt, error);
  return SUCCEEDED;
}

/** What an error of the handler, or of what stands around it, comes to. */
export function classify(thrown: unknown, subscription: Subscription): Outcome {
  const error = thrownAs(thrown);
  let reason: string | undefined;
  try {
    if (isInstance(error, RejectMessageError))
      return { kind: 'rejected', reason: reasonOf(error.message), error };
    if (isInstance(error, RetryLaterError))
      return { kind: 'retry-later', delayMs: error.delayMs, error };
    if (isInstance(error, SchemaError) || isInstance(error, CodecError))
      return { kind: 'rejected', reason: reasonOf(error.message), error };
    const why = subscription.rejection(error);
    reason = why === undefined ? undefined : reasonOf(why);
  } catch (classifierError) {
    // The subscription's own rule, or something thrown that cannot even be looked at.
    return { kind: 'failed', error: classifierError };
  }
  return reason === undefined ? { kind: 'failed', error } : { kind: 'rejected', reason, error };
}
