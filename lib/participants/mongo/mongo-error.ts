/**
 * What MongoDB said no to: a document that is there; a write that another transaction was faster with; a transaction that
 * is no more; a limit of time.
 */
export type MongoFault = 'duplicate' | 'collided' | 'ended' | 'late' | 'other';

const FAULTS: Record<number, MongoFault> = {
  50: 'late', // MaxTimeMSExpired
  11000: 'duplicate',
  112: 'collided', // WriteConflict
  225: 'ended', // TransactionTooOld
  251: 'ended', // NoSuchTransaction: also how a transaction answers that one of its statements failed before
};

interface DriverError {
  code?: unknown;
  hasErrorLabel?(label: string): boolean;
}

export function faultOf(error: unknown): MongoFault {
  const { code } = (error ?? {}) as DriverError;
  return FAULTS[Number(code)] ?? 'other';
}

/** Nothing was written, and the same again may succeed: so says the server, or the driver when the server was gone. */
export function isTransient(error: unknown): boolean {
  return ((error ?? {}) as DriverError).hasErrorLabel?.('TransientTransactionError') === true;
}

/** Somebody has written the same document, or is about to: nothing that an operator should hear of. */
export function isInTheWay(error: unknown): boolean {
  return ['duplicate', 'collided', 'late'].includes(faultOf(error));
}
