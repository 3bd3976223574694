import { InvalidInputError, RivuletError } from '../../message/errors.js';
import type { MessageId } from '../../message/message-id.js';
import type { GroupQueue } from '../../store/delivery-store.js';

/** What proves that a delivery is still the latest one of its message. */
export interface Receipt extends GroupQueue {
  readonly offset: string;
  readonly deliveryCount: number;
  readonly attempt: number;
  readonly messageId: MessageId;
}

/** The receipt is void: its message was handed out again, or settled already. Nothing changed. */
export class ReceiptExpiredError extends RivuletError {
  readonly code = 'RECEIPT_EXPIRED';
  readonly messageId: MessageId;

  constructor({ topic, group, messageId }: Receipt) {
    super(
      `${topic}/${group}: the receipt of message ${messageId} is void: it was settled already, or not before its invisible duration had passed and it was handed out again. Nothing changed; a longer invisibleDurationMs or changeInvisibleDuration helps`,
    );
    this.messageId = messageId;
  }
}

const VERSION = 1;

/** As text that any process of the group can settle with. It tells names and ids, nothing secret. */
export function writeReceipt(receipt: Receipt): string {
  const { topic, queue, group, offset, deliveryCount, attempt, messageId } = receipt;
  const parts = [VERSION, topic, queue, group, offset, deliveryCount, attempt, messageId];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** @throws InvalidInputError when the text is no receipt. */
export function readReceipt(text: string): Receipt {
  const parts = partsOf(text);
  const types = parts.map((part) => typeof part).join(' ');
  if (parts[0] !== VERSION || types !== 'number string number string string number number string')
    throw new InvalidInputError('Receipt', ['it must be the receipt of a received message']);
  const [, topic, queue, group, offset, deliveryCount, attempt, messageId] = parts as [
    number,
    ...[string, number, string, string, number, number, string],
  ];
  return { topic, queue, group, offset, deliveryCount, attempt, messageId };
}

function partsOf(text: unknown): unknown[] {
  if (typeof text !== 'string') return [];
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return Array.isArray(parts) ? parts : [];
  } catch {
    // Not ours: told by whoever asked.
    return [];
  }
}
