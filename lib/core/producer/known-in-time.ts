import { SendFailedError } from '../message/errors.js';
import { type MessageId, newMessageId } from '../message/message-id.js';
import type { Clock } from '../runtime/clock.js';
import { orAborted } from '../runtime/drain.js';
import { askPatiently } from './ask-patiently.js';
import { tooManyWait, type WaitingSends } from './waiting-sends.js';

/**
 * What the store must say before there is a message to be sent, within the time of the send. A fault that passes fails
 * nothing whose time is not up.
 *
 * @throws SendFailedError when the time is up; ProducerBufferFullError, and what is no fault of the store, at once.
 */
export async function knownInTime<T>({
  topic,
  what,
  lookUp,
  timeoutMs,
  clock,
  closing,
  waiting,
}: {
  topic: string;
  /** Completes "it could not be found out". */
  what: string;
  lookUp(): Promise<T>;
  timeoutMs: number;
  clock: Clock;
  /** Aborted when nothing more is accepted: it is asked once more then. */
  closing: AbortSignal;
  /** Where it counts meanwhile. */
  waiting: WaitingSends;
}): Promise<{ known: T; leftMs: number }> {
  const refused = (): { topic: string; messageId: MessageId } => ({
    topic,
    // For a message that will never be.
    messageId: newMessageId(clock.now()),
  });
  // How large it will be is not known yet.
  if (!waiting.enter(0)) throw tooManyWait(refused(), waiting.held);
  const until = clock.monotonic() + timeoutMs;
  const timeUp = new AbortController();
  let found: { known: T } | undefined;
  let trouble: unknown;
  const goOn = (error: Error): boolean => {
    trouble = error;
    return !timeUp.signal.aborted && !closing.aborted;
  };
  const looking = askPatiently({ ask: lookUp, goOn, clock, signal: timeUp.signal }).then(
    (known) => void (found = { known }),
    (error: unknown) => {
      if (error !== trouble) throw error;
    },
  );
  const cancel = clock.after(timeoutMs, () => timeUp.abort());
  await orAborted(looking, timeUp.signal).finally(() => {
    cancel();
    waiting.leave(0);
  });
  if (found) return { ...found, leftMs: Math.max(1, Math.ceil(until - clock.monotonic())) };
  const message = refused();
  throw new SendFailedError(
    `Message ${message.messageId} to topic "${topic}" was not stored: it could not be found out ${what} within ${timeoutMs} ms. It is safe to send it again.`,
    message,
    trouble === undefined ? {} : { cause: trouble },
  );
}
