import type { Outcome } from '../outcome.js';
import type { RetryPolicy } from '../retry-policy.js';
import { type Decision, settle } from '../settle.js';

/** What becomes of a message that used up its attempts, and with it of its lane. */
export type OnExhausted = 'park' | 'dead-letter' | 'skip';

/** `park`: the lane waits for the operator. `skip`: the message is left out, the lane goes on. */
export type OrderedDecision =
  Decision | { kind: 'park'; reason: string } | { kind: 'skip'; reason: string };

/**
 * Decides what follows from an attempt in a lane. Pure. A handler that rejects a message has decided itself that the lane
 * goes on without it; `onExhausted` is for those that nobody decided about.
 */
export function settleOrdered(
  outcome: Outcome,
  attempt: number,
  rule: { retry: RetryPolicy; onExhausted: OnExhausted },
): OrderedDecision {
  const decision = settle(outcome, attempt, rule.retry);
  const isExhausted =
    decision.kind === 'dead-letter' &&
    (outcome.kind !== 'rejected' || attempt > rule.retry.maxAttempts);
  if (!isExhausted || rule.onExhausted === 'dead-letter') return decision;
  return { kind: rule.onExhausted, reason: decision.reason };
}
