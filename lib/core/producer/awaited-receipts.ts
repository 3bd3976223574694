import type { MessageId } from '../message/message-id.js';
import type { GroupOutcome, ReceiptPacket } from '../message/receipt-packet.js';

/** A sender that waits for the receipts of its message. */
export interface Waiting {
  readonly outcomes: Map<string, GroupOutcome>;
  readonly missing: Set<string>;
  /** Everything is there. */
  done(): void;
}

/** Who waits for the receipts of which message: several where a dedup id made their messages one. */
export class AwaitedReceipts {
  private readonly byMessage = new Map<MessageId, Set<Waiting>>();

  /** Messages that somebody waits for. */
  get size(): number {
    return this.byMessage.size;
  }

  /** What those who wait already have heard is told at once. */
  join(messageId: MessageId, waiting: Waiting): void {
    const others = this.byMessage.get(messageId);
    for (const { outcomes } of others ?? [])
      for (const [group, outcome] of outcomes) note(waiting, group, outcome);
    if (others) others.add(waiting);
    else this.byMessage.set(messageId, new Set([waiting]));
  }

  leave(messageId: MessageId, waiting: Waiting): void {
    const all = this.byMessage.get(messageId);
    all?.delete(waiting);
    if (all?.size === 0) this.byMessage.delete(messageId);
  }

  /** @returns false: nobody waits for that message. */
  take({ messageId, group, outcome }: ReceiptPacket): boolean {
    const all = this.byMessage.get(messageId);
    for (const waiting of all ?? []) note(waiting, group, outcome);
    return all !== undefined;
  }
}

function note(waiting: Waiting, group: string, outcome: GroupOutcome): void {
  // A group that nobody asked for ends with it, too.
  if (!waiting.missing.delete(group)) return;
  waiting.outcomes.set(group, outcome);
  if (waiting.missing.size === 0) waiting.done();
}
