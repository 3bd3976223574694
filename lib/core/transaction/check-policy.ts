import type { ClaimedHalf } from '../store/half-message-store.js';
import type { Verdict } from './participant.js';

export interface CheckPolicy {
  /** A method that did not know so often is not asked again: the half is left to the operator. */
  readonly maxChecks: number;
  /** A method that says "rollback" about a younger half is asked again: its owner may only have paused. */
  readonly rollbackAfterMs: number;
}

/** What follows from a verdict. */
export type CheckStep =
  | { kind: 'commit' | 'rollback' }
  | { kind: 'later'; afterMs: number; answered: boolean }
  | { kind: 'park'; reason: string };

const PAUSE_MS = { from: 1_000, to: 60_000 };

/** The database decides by itself, so "unknown" means that it could not be asked: asked again for ever. */
export function afterDatabase(verdict: Verdict, half: ClaimedHalf, now: number): CheckStep {
  switch (verdict) {
    case 'commit':
    case 'rollback':
      return { kind: verdict };
    case 'unknown':
      return { kind: 'later', afterMs: pauseMs(half, now), answered: false };
    case 'forgotten':
      return {
        kind: 'park',
        reason: `database of "${half.name}" keeps no verdict of transactions that began before its markers were purged`,
      };
  }
}

/** The queue that decides is in the same store: "unknown" means that it could not be asked. */
export function afterSet(verdict: Verdict, half: ClaimedHalf, now: number): CheckStep {
  if (verdict !== 'forgotten') return afterDatabase(verdict, half, now);
  return {
    kind: 'park',
    reason: `queue ${half.name}, which decides whether the set was sent, does not remember it after a day without anybody to ask`,
  };
}

export function afterMethod(
  verdict: Verdict,
  half: ClaimedHalf,
  { now, policy }: { now: number; policy: CheckPolicy },
): CheckStep {
  const afterMs = pauseMs(half, now);
  if (verdict === 'commit') return { kind: 'commit' };
  if (verdict === 'rollback')
    return now - half.preparedAt < policy.rollbackAfterMs
      ? { kind: 'later', afterMs, answered: false }
      : { kind: 'rollback' };
  if (half.checks + 1 < policy.maxChecks) return { kind: 'later', afterMs, answered: true };
  return {
    kind: 'park',
    reason: `check of "${half.name}" was asked ${half.checks + 1} times and did not know`,
  };
}

/** Half of what it waited already: doubles with each check, without a count that a crash could lose. */
function pauseMs({ preparedAt }: ClaimedHalf, now: number): number {
  return Math.min(Math.max((now - preparedAt) / 2, PAUSE_MS.from), PAUSE_MS.to);
}
