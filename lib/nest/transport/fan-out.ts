import { isInstance } from '../../core/message/any-copy.js';
import { CodecError, SchemaError } from '../../core/message/errors.js';
import { RejectMessageError, RetryLaterError } from '../../core/consumer/handler-errors.js';
import { rejection } from '../rejection.js';

/** Messages whose successes are remembered; beyond, the oldest are run again by all their handlers. */
const MOST_REMEMBERED = 10_000;

/**
 * Several handlers for one delivery: all run, the delivery is settled when the last has ended, the worst outcome counts,
 * and another attempt runs only those that have not succeeded.
 *
 * The successes are remembered in this process. After a crash, or when another process makes the next attempt, every
 * handler runs again: as after any redelivery.
 */
export class FanOut<Handler> {
  private readonly latest = new Map<string, Attempt<Handler>>();

  /** @throws the worst error; `onOther` hears of the others. */
  async run(
    messageId: string,
    handlers: readonly Handler[],
    handle: (handler: Handler) => Promise<void>,
    onOther: (handler: Handler, error: unknown) => void,
  ): Promise<void> {
    // At the beginning, not at the end: when time is up for one that hangs, the next attempt begins before that, and when
    // it has succeeded, all run again if the message ever comes again.
    const done = this.latest.get(messageId)?.done ?? new Set<Handler>();
    const attempt = { done };
    this.remember(messageId, attempt);
    const failed: { handler: Handler; error: unknown }[] = [];
    const left = handlers.filter((handler) => !done.has(handler));
    await Promise.all(
      left.map((handler) =>
        handle(handler).then(
          () => void done.add(handler),
          (error: unknown) => void failed.push({ handler, error }),
        ),
      ),
    );
    if (failed.length === 0) return this.forget(messageId, attempt);
    const [worst, ...others] = failed.sort((a, b) => severity(b.error) - severity(a.error));
    for (const { handler, error } of others) onOther(handler, error);
    throw worst!.error;
  }

  /** What an attempt of long ago ends with says nothing about the one that is under way. */
  private forget(messageId: string, attempt: Attempt<Handler>): void {
    if (this.latest.get(messageId) === attempt) this.latest.delete(messageId);
  }

  private remember(messageId: string, attempt: Attempt<Handler>): void {
    this.latest.delete(messageId);
    this.latest.set(messageId, attempt);
    if (this.latest.size > MOST_REMEMBERED) this.latest.delete(this.latest.keys().next().value!);
  }
}

/** One attempt at a message. All of them share `done`; that each is an object of its own tells which is the latest. */
interface Attempt<Handler> {
  readonly done: Set<Handler>;
}

/** A dead letter is worse than a retry, and a retry by policy worse than one that was asked for. */
function severity(error: unknown): number {
  if (isInstance(error, RetryLaterError)) return 1;
  const isRejection =
    isInstance(error, RejectMessageError) ||
    isInstance(error, CodecError) ||
    isInstance(error, SchemaError) ||
    rejection(error) !== undefined;
  return isRejection ? 3 : 2;
}
