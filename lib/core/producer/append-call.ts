import type { PendingSend } from './pending-send.js';

/** Sends of one producer to one queue that travel together. A class, as all that lives from a send to its confirm (decision 7). */
export class AppendCall {
  readonly epoch: number;
  readonly number: number;
  readonly sends: PendingSend[];
  outcome: 'under-way' | 'not-stored' | 'gap' | 'unknown' | 'moved' = 'under-way';

  constructor({ epoch, number }: { epoch: number; number: number }, sends: PendingSend[]) {
    this.epoch = epoch;
    this.number = number;
    this.sends = sends;
  }
}

/** How many of the sends travel in one call: at least one. */
export function batchSize(
  sends: readonly PendingSend[],
  most: { messages: number; bytes: number },
): number {
  let count = 0;
  let size = 0;
  for (const send of sends) {
    if (count > 0 && (count >= most.messages || size + send.bytes > most.bytes)) break;
    count += 1;
    size += send.bytes;
  }
  return count;
}
