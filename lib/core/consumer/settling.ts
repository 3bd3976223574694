import type { MessageView } from '../message/message.js';
import type { DeliveredEntry, Settlement } from '../store/delivery-store.js';
import type { Outcome } from './outcome.js';
import type { Decision } from './settle.js';
import type { SettleAnswer, SettleTask } from './settler.js';

/** What is said of a message when it is settled. A class, as `Settling` is (decision 7). */
export class SettledMessage implements Pick<MessageView, 'messageId' | 'key' | 'receiptTo'> {
  readonly messageId: MessageView['messageId'];
  readonly key: MessageView['key'];
  readonly receiptTo: MessageView['receiptTo'];

  constructor({ messageId, key, receiptTo }: SettledMessage) {
    this.messageId = messageId;
    this.key = key;
    this.receiptTo = receiptTo;
  }
}

/** What is said of its place, and of how it was found there. */
export interface SettledEntry extends Pick<
  DeliveredEntry,
  'topic' | 'queue' | 'offset' | 'attempt'
> {
  readonly content: { readonly kind: DeliveredEntry['content']['kind'] };
}

const MESSAGE = { kind: 'message' } as const;

/**
 * A delivery whose settle is on its way, and what is to be said once it is answered. A class, as all that lives until its
 * answer (decision 7).
 *
 * Of the message it keeps words only. Its bytes, and all that was made to look into them, would wait for the store, too: they
 * were most of what a busy process carried from one collection of garbage to the next.
 */
export class Settling implements SettleTask, SettledEntry {
  readonly topic: string;
  readonly queue: number;
  readonly offset: string;
  readonly attempt: number;
  readonly deliveryCount: number;
  readonly content: SettledEntry['content'];
  /** Undefined: none was found in the entry. */
  readonly message: SettledMessage | undefined;
  readonly outcome: Outcome;
  readonly decision: Decision;
  readonly settlement: Settlement;
  /** Whoever waits for this one. Undefined: it was not counted by `capacity`. */
  readonly whenOver: (() => void) | undefined;
  private readonly onAnswer: (settling: Settling, answer: SettleAnswer) => void;

  constructor(options: {
    entry: DeliveredEntry;
    message: MessageView | undefined;
    outcome: Outcome;
    decision: Decision;
    settlement: Settlement;
    whenOver: (() => void) | undefined;
    onAnswer(settling: Settling, answer: SettleAnswer): void;
  }) {
    const { entry, message } = options;
    this.topic = entry.topic;
    this.queue = entry.queue;
    this.offset = entry.offset;
    this.attempt = entry.attempt;
    this.deliveryCount = entry.deliveryCount;
    this.content = entry.content.kind === 'message' ? MESSAGE : entry.content;
    this.message = message && new SettledMessage(message);
    this.outcome = options.outcome;
    this.decision = options.decision;
    this.settlement = options.settlement;
    this.whenOver = options.whenOver;
    this.onAnswer = options.onAnswer;
  }

  answered(answer: SettleAnswer): void {
    this.onAnswer(this, answer);
  }

  refused(): void {
    this.whenOver?.();
  }
}
