import type { Begin } from './database-transaction.js';
import type { TransactionParticipant } from './participant.js';
import type { TransactionScope } from './transaction-scope.js';
import type { UnitOfWork } from './unit-of-work.js';

/**
 * Runs `body` in a savepoint that `begin` makes within the transaction of `outer`. What it sends belongs to that transaction
 * when it succeeds, and is forgotten when it fails; its error comes out unchanged.
 */
export async function inSavepoint<R>(
  body: (tx: unknown) => Promise<R>,
  within: {
    outer: UnitOfWork;
    participant: TransactionParticipant;
    begin: Begin;
    scope: TransactionScope;
  },
): Promise<R> {
  const { outer, participant, begin, scope } = within;
  let inner: UnitOfWork | undefined;
  // Begun in a savepoint of the client, this one would be undone with it: what is sent in here is refused, too.
  const guard = participant.foreign?.() === undefined && participant.within?.bind(participant);
  try {
    const result = await begin<R>(async (tx) => {
      // Who begins it may try it again: what the try before has sent is of no more use.
      inner?.discard();
      const unit = (inner = outer.savepoint(tx));
      const own = (): Promise<R> => body(tx);
      try {
        const value = await scope.run(unit, () => (guard ? guard(tx, own) : own()));
        await unit.seal();
        return value;
      } catch (error) {
        await unit.close();
        throw error;
      }
    });
    inner?.release();
    return result;
  } catch (error) {
    inner?.discard(error);
    throw error;
  }
}
