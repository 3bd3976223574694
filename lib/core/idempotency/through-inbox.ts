import type { Outcome } from '../consumer/outcome.js';

/** Which message, for whom, in which database. */
export interface InboxEntry {
  participant: string;
  group: string;
  key: string;
}

/**
 * Runs the handler in a database transaction that first notes the entry; resolves after COMMIT. `busy`: another delivery
 * is in its transaction, or the database is away. Rejects with what the handler threw, rolled back.
 */
export type Inbox = (
  entry: InboxEntry,
  handle: () => Promise<void>,
) => Promise<'handled' | 'duplicate' | 'busy'>;

/** Until the database is asked again. */
const BUSY_MS = 1_000;

/** Ends the transaction of a handler that did not succeed; its outcome is known already. */
class RolledBack extends Error {}

/**
 * The outcome of a handler whose writes, and whose note in the inbox, are committed together: only a success is.
 *
 * @param isSuccess whether what the handler did is to be kept.
 */
export async function throughInbox(
  inbox: Inbox,
  entry: InboxEntry,
  {
    dedupKey,
    handle,
    isSuccess,
  }: {
    dedupKey: string;
    handle(): Outcome | Promise<Outcome>;
    isSuccess(outcome: Outcome): boolean;
  },
): Promise<Outcome> {
  let outcome: Outcome | undefined;
  try {
    const state = await inbox(entry, async () => {
      outcome = await handle();
      if (!isSuccess(outcome)) throw new RolledBack();
    });
    if (state === 'busy') return { kind: 'busy', delayMs: BUSY_MS };
    return state === 'duplicate' ? { kind: 'duplicate', dedupKey } : outcome!;
  } catch (error) {
    if (error instanceof RolledBack && outcome) return outcome;
    // Not committed, or nobody knows: the next attempt finds the entry, or handles the message.
    return { kind: 'failed', error };
  }
}
