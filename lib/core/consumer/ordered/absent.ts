import type { StoredEntry } from '../../store/refs.js';
import { bytesOf } from '../byte-budget.js';

/** Stands for what was in a message that is not kept in memory. */
class Absent {
  readonly kind = 'gone';

  constructor(readonly bytes: number) {}
}

/** The same message, of which only offset and size are kept: what is in it is asked for when its turn comes. */
export function absent<T extends StoredEntry>(entry: T): T {
  return isAbsent(entry) ? entry : { ...entry, content: new Absent(bytesOf(entry)) };
}

export function isAbsent({ content }: StoredEntry): boolean {
  return content instanceof Absent;
}

/** How many bytes the message takes once it is in memory. */
export function fullBytesOf(entry: StoredEntry): number {
  return entry.content instanceof Absent ? entry.content.bytes : bytesOf(entry);
}

export function bytesOfAll(entries: readonly StoredEntry[]): number {
  let sum = 0;
  for (const entry of entries) sum += bytesOf(entry);
  return sum;
}
