import { compareOffsets } from '../core/message/offset.js';
import type { EntryContent, QueueRef, StartFrom, StoredEntry } from '../core/store/refs.js';

type Content = Exclude<EntryContent, { kind: 'gone' }>;

interface LogEntry {
  readonly offset: string;
  readonly content: Content;
}

const BEFORE_ALL = '0-0';

/** One append-only log with the offsets of a Redis stream: `ms-seq`, strictly increasing, never used twice. */
export class MemoryQueue {
  readonly ref: QueueRef;
  private readonly entries: LogEntry[] = [];
  private lastMs = 0;
  private lastSeq = 0;

  constructor(ref: QueueRef) {
    this.ref = ref;
  }

  get length(): number {
    return this.entries.length;
  }

  /** Newest offset ever given, also when its entry is gone. */
  get lastOffset(): string {
    return `${this.lastMs}-${this.lastSeq}`;
  }

  append(content: Content, now: number): string {
    if (now > this.lastMs) {
      this.lastMs = now;
      this.lastSeq = 0;
    } else this.lastSeq += 1;
    const offset = this.lastOffset;
    this.entries.push({ offset, content: copyContent(content) });
    return offset;
  }

  /** `gone` when the entry is not there (any more). Bytes are copies: what a handler does to them stays its own. */
  read(offset: string): StoredEntry {
    const entry = this.entries[this.indexFrom(offset)];
    if (entry?.offset !== offset) return { ...this.ref, offset, content: { kind: 'gone' } };
    return { ...this.ref, offset, content: copyContent(entry.content) };
  }

  range(range: { from: string; to: string; count: number; reverse?: boolean }): StoredEntry[] {
    const from = range.from === '-' ? 0 : this.indexFrom(range.from);
    const to = range.to === '+' ? this.entries.length : this.indexAfter(range.to);
    const found = this.entries.slice(from, Math.max(from, to));
    if (range.reverse) found.reverse();
    return found.slice(0, range.count).map(({ offset }) => this.read(offset));
  }

  /** Offsets behind `offset` and whom they are for, oldest first. */
  *after(offset: string): Generator<{ offset: string; only: string | null }> {
    for (let i = this.indexAfter(offset); i < this.entries.length; i++) {
      const { content, offset: found } = this.entries[i]!;
      yield { offset: found, only: content.kind === 'message' ? content.only : null };
    }
  }

  first(): string | null {
    return this.entries[0]?.offset ?? null;
  }

  last(): string | null {
    return this.entries.at(-1)?.offset ?? null;
  }

  delete(offset: string): boolean {
    const at = this.indexFrom(offset);
    if (this.entries[at]?.offset !== offset) return false;
    this.entries.splice(at, 1);
    return true;
  }

  /** Drop entries in front of `offset`, `limit` at most. */
  dropBefore(offset: string, limit: number): number {
    return this.entries.splice(0, Math.min(this.indexFrom(offset), limit)).length;
  }

  /** The offset behind which a group begins that joins now. */
  startOf(from: StartFrom): string {
    if (from === 'earliest') return BEFORE_ALL;
    if (from === 'latest') return this.lastOffset;
    const ms = from.getTime();
    return ms > 0 ? `${ms - 1}-18446744073709551615` : BEFORE_ALL;
  }

  /** Index of the first entry at or behind the offset. */
  private indexFrom(offset: string): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareOffsets(this.entries[middle]!.offset, offset) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private indexAfter(offset: string): number {
    const at = this.indexFrom(offset);
    return this.entries[at]?.offset === offset ? at + 1 : at;
  }
}

export function copyContent<C extends EntryContent>(content: C): C {
  switch (content.kind) {
    case 'message':
      return { ...content, frame: Buffer.from(content.frame) };
    case 'foreign':
      return { ...content, fields: content.fields.map((field) => Buffer.from(field)) };
    default:
      return content;
  }
}
