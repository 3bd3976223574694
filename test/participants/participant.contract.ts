import { describeForeign } from './foreign.contract.js';
import type { Abilities, OpenParticipants } from './harness.js';
import { useParticipants } from './subject.js';
import { describeTables } from './tables.contract.js';
import { describeTransaction } from './transaction.contract.js';

/** What every participant promises, against the real database. */
export function describeParticipant(open: OpenParticipants, can: Abilities): void {
  const subject = useParticipants(open);
  describeTransaction(subject, can);
  describeTables(subject, can);
  if (can.foreign) describeForeign(subject, can);
}
