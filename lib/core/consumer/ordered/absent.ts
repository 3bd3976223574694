import type { EntryContent, StoredEntry } from '../../store/refs.js';
import { bytesOf } from '../byte-budget.js';

const ABSENT: EntryContent = { kind: 'gone' };

/** The same message, of which only the offset is kept: what is in it is asked for when its turn comes. */
export function absent<T extends StoredEntry>(entry: T): T {
  return { ...entry, content: ABSENT };
}

export function isAbsent({ content }: StoredEntry): boolean {
  return content === ABSENT;
}

export function bytesOfAll(entries: readonly StoredEntry[]): number {
  let sum = 0;
  for (const entry of entries) sum += bytesOf(entry);
  return sum;
}
