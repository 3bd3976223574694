import { sleep, systemClock } from '../../core/runtime/clock.js';
import type { TransactionId, Verdict } from '../../core/transaction/participant.js';

/** A database that hangs, or a pool that has no connection to give, is not worth more. */
const TIMEOUT_MS = 10_000;

/**
 * Each id is answered within a limit, whatever happens to the database. `ask` notes each verdict once it is known; what it has
 * not noted when it fails, or when its time is up, is unknown.
 */
export async function decideInTime(
  ids: readonly TransactionId[],
  ask: (ids: TransactionId[], verdicts: Map<TransactionId, Verdict>) => Promise<void>,
): Promise<Map<TransactionId, Verdict>> {
  const verdicts = new Map<TransactionId, Verdict>(ids.map((id) => [id, 'unknown']));
  const given = new AbortController();
  const asking = ask([...verdicts.keys()], verdicts).finally(() => given.abort());
  // A failure is an answer, too: unknown.
  await Promise.race([asking.catch(() => undefined), sleep(systemClock, TIMEOUT_MS, given.signal)]);
  // What comes later counts no more.
  return new Map(verdicts);
}
