import { describeValue } from '../../message/options.js';
import type { OrderedBy } from '../../store/topic-registry.js';
import { type Allocation, allocationProblem } from './allocation.js';
import type { OnExhausted } from './settle-ordered.js';

/** What an ordered subscription may be told. */
export interface OrderedOptions {
  /**
   * Keep the order: `true` within each message group, one after the other, each starting after the one before was
   * settled; `'queue'` within each queue (a topic with one queue: all of its messages). Default false.
   */
  ordered?: boolean | 'queue' | undefined;
  /**
   * What becomes of a message that used up its attempts. `park` (default): its lane stops until `MessageAdmin` resumes
   * it; other lanes go on. `dead-letter`: the lane goes on, the message is kept. `skip`: the lane goes on without it.
   * Only with `ordered`.
   */
  onExhausted?: OnExhausted | undefined;
  /** How the members of the group share the queues. Default `sticky`. Only with `ordered`. */
  allocation?: Allocation | undefined;
}

/** The same, with every default filled in. */
export interface OrderedRules {
  readonly by: OrderedBy;
  readonly onExhausted: OnExhausted;
  readonly allocation: Allocation;
}

/** Pause after a failure that keeps the rest of a lane waiting. */
export const ORDERED_BACKOFF = { fromMs: 1_000, toMs: 30_000 };

/** Undefined: not ordered. */
export function orderedRules(options: OrderedOptions): OrderedRules | undefined {
  const { ordered = false, onExhausted = 'park', allocation = 'sticky' } = options;
  if (ordered === false) return undefined;
  return { by: ordered === 'queue' ? 'queue' : 'message-group', onExhausted, allocation };
}

export function orderedProblems(options: OrderedOptions): (string | undefined)[] {
  const { ordered, onExhausted, allocation } = options;
  const isOrdered = ordered !== undefined && ordered !== false;
  return [
    ordered === undefined || typeof ordered === 'boolean' || ordered === 'queue'
      ? undefined
      : `ordered must be true, false or "queue", got: ${describeValue(ordered)}`,
    !isOrdered && onExhausted !== undefined
      ? 'onExhausted is for ordered subscriptions; add ordered: true or leave it out'
      : undefined,
    !isOrdered && allocation !== undefined
      ? 'allocation is for ordered subscriptions; add ordered: true or leave it out'
      : undefined,
    onExhausted === undefined ||
    onExhausted === 'park' ||
    onExhausted === 'dead-letter' ||
    onExhausted === 'skip'
      ? undefined
      : `onExhausted must be "park", "dead-letter" or "skip", got: ${describeValue(onExhausted satisfies never)}`,
    allocationProblem(allocation),
  ];
}
