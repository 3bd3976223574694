import { describeError } from './outcome.js';

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

export function addToHistory(
  text: string,
  failure: { attempt: number; at: number; error: unknown; consumer: string },
): HistoryItem[] {
  return [...readHistory(text), { ...failure, error: describeError(failure.error) }].slice(
    -LONGEST_HISTORY,
  );
}
