import type { MessageView } from '../message/message.js';
import { encodeReceipt, type GroupOutcome } from '../message/receipt-packet.js';
import type { ReplyStore } from '../store/reply-store.js';
import type { Outcome } from './outcome.js';
import type { OrderedDecision } from './ordered/settle-ordered.js';

/** Tells senders that asked for it what became of their messages. A receipt that is lost costs its sender the wait. */
export class ReceiptGiver {
  private readonly group: string;
  private readonly replies: Pick<ReplyStore, 'reply'>;
  private readonly onError: (error: unknown) => void;

  constructor(options: {
    group: string;
    replies: Pick<ReplyStore, 'reply'>;
    onError(error: unknown): void;
  }) {
    this.group = options.group;
    this.replies = options.replies;
    this.onError = options.onError;
  }

  /** The delivery was settled so. */
  give(
    { messageId, receiptTo }: Pick<MessageView, 'messageId' | 'receiptTo'>,
    settled: { outcome: Outcome; decision: OrderedDecision },
  ): void {
    const outcome = outcomeOf(settled);
    if (receiptTo === undefined || !outcome) return;
    const packet = encodeReceipt({ messageId, group: this.group, outcome });
    this.replies.reply(receiptTo, packet).then((state) => {
      if (state === 'full')
        this.onError(new Error(`too much waits for the sender of ${messageId}`));
    }, this.onError);
  }
}

/** Undefined: it is not the end of it. */
function outcomeOf({
  outcome,
  decision,
}: {
  outcome: Outcome;
  decision: OrderedDecision;
}): GroupOutcome | undefined {
  switch (decision.kind) {
    case 'ack':
      // Redriven for another group, or its body is gone: nothing that a sender may count on.
      if (outcome.kind === 'skipped') return undefined;
      return { state: outcome.kind === 'filtered' ? 'filtered' : 'handled' };
    case 'dead-letter':
      return { state: 'dead-lettered', reason: decision.reason };
    case 'skip':
      return { state: 'skipped', reason: decision.reason };
    default:
      return undefined;
  }
}
