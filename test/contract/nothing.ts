import { ClosedError, StoreUnavailableError } from '../../lib/core/message/errors.js';

/** An ended wait resolves with nothing, or rejects with what ended it; both are in order. */
export async function nothing<T>(waiting: Promise<T[]>): Promise<T[]> {
  try {
    return await waiting;
  } catch (error) {
    if (error instanceof ClosedError || error instanceof StoreUnavailableError) return [];
    throw error;
  }
}
