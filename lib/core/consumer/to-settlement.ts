import type { DeliveredEntry, Settlement } from '../store/delivery-store.js';
import { addToHistory, type DeadLetterNote } from './history.js';
import { describeError, type Outcome } from './outcome.js';
import type { Decision } from './settle.js';

/** A decision with what the store is to remember of it. */
export function toSettlement(
  decision: Decision,
  facts: { outcome: Outcome; entry: DeliveredEntry; consumer: string; at: number },
): Settlement {
  const { outcome, entry, consumer, at } = facts;
  if (decision.kind === 'ack' || decision.kind === 'release') return decision;
  const error = 'error' in outcome ? outcome.error : undefined;
  const history = addToHistory(entry.history, {
    attempt: entry.attempt,
    at,
    error: error ?? outcome.kind,
    consumer,
  });
  if (decision.kind === 'retry')
    return {
      kind: 'retry',
      delayMs: Math.round(decision.delayMs),
      history: JSON.stringify(history),
    };
  const note: DeadLetterNote = {
    reason: decision.reason,
    error: error === undefined ? undefined : describeError(error),
    attempts: entry.attempt,
    at,
    consumer,
    history,
  };
  return { kind: 'dead-letter', note: JSON.stringify(note) };
}
