import type { Agenda } from '../store/agenda.js';
import type { HalfMessageStore } from '../store/half-message-store.js';
import { readCheckWork } from './half-owner.js';
import type { TransactionParticipant } from './participant.js';

/** Younger verdicts are kept: their halves may still be on their way. */
const KEPT_MS = 3_600_000;
/** A store that fails over may bring halves back that were decided shortly before. */
const MARGIN_MS = 600_000;
const MOST_PER_CALL = 5_000;
const MOST_CALLS = 20;

/** Delete what an inbox remembers of messages that were handled before `before` (Unix ms). @returns whether there is more. */
export async function purgeInbox(
  participant: TransactionParticipant,
  before: number,
): Promise<boolean> {
  for (let call = 0; call < MOST_CALLS; call++)
    if ((await participant.inbox.purge(before, MOST_PER_CALL)) < MOST_PER_CALL) return false;
  return true;
}

/**
 * Delete the verdicts of a database that no half can ask for any more: older than an hour, and than every half that waits
 * for this database.
 *
 * @returns whether there are more to delete.
 */
export async function purgeMarkers(options: {
  participant: TransactionParticipant;
  owner: string;
  halves: HalfMessageStore;
  agenda: Agenda;
  /** Unix ms; the earlier of the store's and this process's. */
  now: number;
}): Promise<boolean> {
  const { participant, owner, halves, agenda, now } = options;
  let before = now - KEPT_MS;
  for (const work of await agenda.list()) {
    const queue = readCheckWork(work);
    if (queue?.owner !== owner) continue;
    const oldest = await halves.oldest(queue);
    if (oldest !== null) before = Math.min(before, oldest - MARGIN_MS);
  }
  for (let call = 0; call < MOST_CALLS; call++)
    if ((await participant.purge(before, MOST_PER_CALL)) < MOST_PER_CALL) return false;
  return true;
}
