import { describeError, type Outcome } from './outcome.js';
import type { RetryPolicy } from './retry-policy.js';

/** One of the three ways to settle a delivery, or its return untouched. */
export type Decision =
  | { kind: 'ack' }
  | { kind: 'retry'; delayMs: number }
  | { kind: 'dead-letter'; reason: string }
  | { kind: 'release'; delayMs: number };

/** How long a message of a newer wire version waits before this consumer looks at it again. */
export const HELD_MS = 60_000;

const ACK: Decision = { kind: 'ack' };

/** Decides what follows from an attempt. Pure: the same arguments, the same decision. */
export function settle(outcome: Outcome, attempt: number, policy: RetryPolicy): Decision {
  switch (outcome.kind) {
    case 'succeeded':
    case 'filtered':
    case 'skipped':
    case 'duplicate':
      return ACK;
    case 'not-started':
      return { kind: 'release', delayMs: 0 };
    case 'busy':
      return { kind: 'release', delayMs: outcome.delayMs };
    case 'held':
      // No attempt: whoever can read it at last has all of them.
      return { kind: 'release', delayMs: HELD_MS };
    case 'rejected':
      return { kind: 'dead-letter', reason: outcome.reason };
    case 'failed':
    case 'retry-later':
      if (attempt >= policy.maxAttempts)
        return {
          kind: 'dead-letter',
          reason: `failed ${attempt === 1 ? 'once' : `${attempt} times`}; last: ${describeError(outcome.error)}`,
        };
      return {
        kind: 'retry',
        delayMs:
          outcome.kind === 'retry-later' ? outcome.delayMs : policy.delayMs(attempt, outcome.error),
      };
  }
}
