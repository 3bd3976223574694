import { createHash } from 'node:crypto';
import { formatMessageId, newMessageId, parseMessageId } from '../message/message-id.js';
import type { TransactionId } from '../store/half-message-store.js';
import type { HalfOwner } from './half-owner.js';

/** Whose messages, and who can say what became of them. */
export interface TransactionFacts {
  readonly id: TransactionId;
  readonly owner: HalfOwner;
}

export function mintTransactionId(now: number): TransactionId {
  return newMessageId(now);
}

/**
 * A part of a transaction that comes to a queue besides its own messages there: the store takes one run of each id in each
 * queue, and would take a second one for a repeat. Always the same id for the same part, whoever publishes it.
 */
export function partOf({ id, owner }: TransactionFacts, part: string): TransactionFacts {
  const bytes = parseMessageId(id);
  createHash('sha256').update(`${id}/${part}`).digest().copy(bytes, 9, 0, 7);
  return { id: formatMessageId(bytes), owner };
}
