import type { MessageView } from '../../message/message.js';
import type { Clock } from '../../runtime/clock.js';
import type { HeldStep } from '../../store/queue-lease-store.js';
import type { Outcome } from '../outcome.js';
import type { Reporter } from '../reporter.js';
import type { Decision } from '../settle.js';
import type { Subscription } from '../subscription.js';
import { toSettlement } from '../to-settlement.js';
import { groupOfLane } from './lane-name.js';
import type { Head } from './lane.js';
import type { OrderedRules } from './ordered-rules.js';
import { type OrderedDecision, settleOrdered } from './settle-ordered.js';

/** A head whose outcome is known. */
export interface Ended {
  readonly head: Head;
  readonly outcome: Outcome;
  readonly message: MessageView | undefined;
}

/** What becomes of heads by the rules of their subscription: decided, put into a step for the store, and told. */
export class Verdicts {
  private readonly options: {
    member: string;
    subscription: Subscription;
    rules: OrderedRules;
    clock: Clock;
    reporter: Reporter;
  };

  constructor(options: Verdicts['options']) {
    this.options = options;
  }

  on({ head, outcome }: Ended): OrderedDecision {
    const { subscription, rules } = this.options;
    const { onExhausted } = rules;
    return settleOrdered(outcome, head.attempt, { retry: subscription.retry, onExhausted });
  }

  /** How the store learns of it; `park` as it is for a message that is held. */
  stepOf(ended: Ended, lane: string, decision: OrderedDecision): HeldStep & { lane: string } {
    const { offset, history } = ended.head;
    switch (decision.kind) {
      case 'ack':
      case 'skip':
        return { kind: 'ack', lane, offset };
      case 'dead-letter':
        return { kind: 'dead-letter', lane, offset, note: this.textOf(decision, ended) };
      case 'retry': {
        const { delayMs } = decision;
        const counted = true;
        return {
          kind: 'retry',
          lane,
          offset,
          delayMs,
          counted,
          history: this.textOf(decision, ended),
        };
      }
      case 'release':
        return { kind: 'retry', lane, offset, delayMs: decision.delayMs, counted: false, history };
      case 'park': {
        const { reason } = decision;
        const note = this.textOf({ kind: 'dead-letter', reason }, ended);
        return { kind: 'park', lane, offset, note };
      }
    }
  }

  /** The store did what was decided. */
  tell({ head, outcome, message }: Ended, lane: string, decision: OrderedDecision): void {
    const messageGroup = groupOfLane(lane);
    this.options.reporter.settledInLane({ entry: head, outcome, decision, message, messageGroup });
  }

  /** What the store keeps about an attempt: the history of the message, or the note of its dead letter. */
  private textOf(decision: Exclude<Decision, { kind: 'ack' }>, { head, outcome }: Ended): string {
    const { member, clock } = this.options;
    const about = { outcome, entry: head, consumer: member, at: clock.now() };
    const settlement = toSettlement(decision, about);
    return settlement.kind === 'dead-letter'
      ? settlement.note
      : settlement.kind === 'retry'
        ? settlement.history
        : '';
  }
}
