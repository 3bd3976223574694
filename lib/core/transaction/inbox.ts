import type { InboxTable } from './participant.js';
import { InboxBusyError } from './participant-errors.js';
import type { Transactions } from './transactions.js';
import type { TransactionOptions } from './transaction-options.js';

/**
 * Run a handler in a database transaction that first notes the message in the inbox: what it wrote and what it sent are
 * there once per entry, whatever dies on the way.
 *
 * Resolves after COMMIT; ack then. A second run finds the entry and does nothing.
 *
 * @throws what the handler threw, rolled back; `InboxBusyError` when the handler could not be begun (another delivery is in
 *   its transaction, or the database is away): try again later, it is not an attempt.
 */
export async function once(
  entry: Parameters<InboxTable['enter']>[1],
  handle: () => Promise<unknown>,
  { transactions, ...options }: TransactionOptions & { transactions: Transactions },
): Promise<'handled' | 'duplicate'> {
  const participant = transactions.participant(options.participant);
  let isBegun = false;
  try {
    return await transactions.run(async (tx: unknown) => {
      const state = await participant.inbox.enter(tx, entry);
      isBegun = true;
      if (state === 'duplicate') return state;
      await handle();
      if (transactions.endIfNothingSent()) await participant.inbox.leave?.(tx);
      return 'handled';
    }, options);
  } catch (error) {
    if (isBegun || error instanceof InboxBusyError) throw error;
    const facts = {
      participant: participant.name,
      group: entry.group,
      reason: 'not-begun',
    } as const;
    throw new InboxBusyError(facts, { cause: error });
  }
}
