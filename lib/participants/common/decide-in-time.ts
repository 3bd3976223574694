import { sleep, systemClock } from '../../core/runtime/clock.js';
import type { TransactionId, Verdict } from '../../core/transaction/participant.js';

/** A database that hangs, or a pool that has no connection to give, is not worth more. */
const TIMEOUT_MS = 10_000;

interface Question {
  ids: readonly TransactionId[];
  /** Notes each verdict once it is known. */
  ask(ids: TransactionId[], verdicts: Map<TransactionId, Verdict>): Promise<void>;
  /** Hears why it failed, or that its time is up. */
  tell: ((why: Error) => void) | undefined;
}

/**
 * Each id is answered within a limit, whatever happens to the database. What `ask` has not noted when it fails, or when its
 * time is up, is unknown.
 */
export async function decideInTime({
  ids,
  ask,
  tell,
}: Question): Promise<Map<TransactionId, Verdict>> {
  const verdicts = new Map<TransactionId, Verdict>(ids.map((id) => [id, 'unknown']));
  const given = new AbortController();
  const asking = ask([...verdicts.keys()], verdicts)
    .catch((error: Error) => {
      if (!given.signal.aborted) tell?.(error); // an answer, too: unknown
    })
    .finally(() => given.abort());
  await Promise.race([asking, sleep(systemClock, TIMEOUT_MS, given.signal)]);
  if (!given.signal.aborted) tell?.(new Error(`it did not answer within ${TIMEOUT_MS} ms`));
  given.abort();
  // What comes later counts no more.
  return new Map(verdicts);
}
