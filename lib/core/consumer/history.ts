import type { DeliveredEntry } from '../store/delivery-store.js';
import { describeError, reasonOf } from './outcome.js';

/** One failed attempt. */
export interface HistoryItem {
  attempt: number;
  /** When it failed, Unix ms by the consumer's clock. */
  at: number;
  error: string;
  consumer: string;
}

/** What is kept with a dead letter. */
export interface DeadLetterNote {
  reason: string;
  /** The last error; absent when the message never reached a handler. */
  error: string | undefined;
  attempts: number;
  /** When it was given up, Unix ms by the consumer's clock. */
  at: number;
  consumer: string;
  history: HistoryItem[];
}

/** The newest attempts are kept: a message that fails for days stays small. */
const LONGEST_HISTORY = 16;

function readHistory(text: string): HistoryItem[] {
  if (text === '') return [];
  try {
    const items: unknown = JSON.parse(text);
    return Array.isArray(items) ? (items as HistoryItem[]) : [];
  } catch {
    // Somebody else's text under our key: it explains nothing, and it must not stop the message.
    return [];
  }
}

/**
 * Why a message is given up whose attempts are used up before this one begins: they crashed its consumers, or failed while more
 * of them were allowed, by another member or an earlier version of the application. A crash leaves nothing in the history.
 */
export function whyUsedUp({
  attempt,
  history,
}: Pick<DeliveredEntry, 'attempt' | 'history'>): string {
  const before = attempt - 1;
  const times = before === 1 ? 'once' : `${before} times`;
  const last = readHistory(history).at(-1);
  if (typeof last?.error !== 'string') return `its consumer crashed ${times}, in every attempt`;
  const what =
    last.attempt === before ? `failed ${times}` : `its consumer crashed in attempt ${before}`;
  return reasonOf(`${what}, and no more are allowed here; last error: ${last.error}`);
}

export function addToHistory(
  text: string,
  failure: { attempt: number; at: number; error: unknown; consumer: string },
): HistoryItem[] {
  return [...readHistory(text), { ...failure, error: describeError(failure.error) }].slice(
    -LONGEST_HISTORY,
  );
}
