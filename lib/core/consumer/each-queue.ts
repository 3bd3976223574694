import { isRefusal } from '../message/errors.js';
import type { QueueRef } from '../store/refs.js';

/**
 * Visits each queue in turn. One that the store refuses keeps no other from its turn, as one key of the wrong type
 * would otherwise. Any other error concerns them all, and ends the round.
 */
export async function eachQueue<Ref extends QueueRef>(
  refs: readonly Ref[],
  { visit, onRefusal }: { visit(ref: Ref): Promise<void>; onRefusal(error: Error, ref: Ref): void },
): Promise<void> {
  for (const ref of refs)
    try {
      await visit(ref);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      onRefusal(error, ref);
    }
}
