/**
 * What is known about the attempts of one delivery. A first delivery has no record: one start is implied.
 *
 * The rules are those of the Redis scripts (`lib/redis/lua`), so that a test on memory tells the truth.
 */
export interface Attempts {
  /** Starts that count, the one under way included. */
  readonly starts: number;
  /** How often a consumer died with it in hand since it last failed by itself. */
  readonly cuts: number;
  /** The start under way runs alone: if its consumer dies, it was the cause. */
  readonly solo: boolean;
  readonly history: string;
}

export const FIRST_ATTEMPT: Attempts = { starts: 1, cuts: 0, solo: false, history: '' };

export function isSuspect(attempts: Attempts): boolean {
  return attempts.cuts > 0;
}

/** It is handed out again. A suspect is handed out alone. */
export function started(attempts: Attempts): Attempts {
  return { ...attempts, starts: attempts.starts + 1, solo: isSuspect(attempts) };
}

/** It came to an end and failed: whatever killed the consumer earlier, this message need not run alone again. */
export function retried(attempts: Attempts, history: string): Attempts {
  const kept = history === '' ? attempts.history : history;
  return { starts: attempts.starts, cuts: 0, solo: false, history: kept };
}

/** It was not started after all. */
export function released(attempts: Attempts): Attempts {
  return { ...attempts, starts: Math.max(0, attempts.starts - 1), solo: false };
}

/** Its consumer died. Only a message that ran alone pays with an attempt. */
export function cutOff(attempts: Attempts): Attempts {
  const starts = attempts.solo ? attempts.starts : Math.max(0, attempts.starts - 1);
  return { ...attempts, starts, cuts: attempts.cuts + 1, solo: false };
}
