import type { StoredEntry } from '../store/refs.js';

/** Nothing is known of the size of messages before the first are there. */
const FIRST_READ = 16;
const GROWTH = 4;
/** So much of the largest message lately is still expected of the next read. */
const DECAY = 0.9;

/**
 * How many more messages this subscription may hold, by their bytes: a store knows no read of so many bytes, so the
 * number is what fits if they are as large as the largest lately.
 *
 * One message always fits into an empty hand. A read that meets larger messages than any before it may exceed the limit,
 * once.
 */
export class ByteBudget {
  private readonly most: number;
  private held = 0;
  private expected = 0;
  private mostRead = FIRST_READ;

  constructor(options: { mostBytes: number }) {
    this.most = options.mostBytes;
  }

  /** These were read. */
  learn(sizes: Iterable<number>): void {
    let largest = -1;
    for (const size of sizes) if (size > largest) largest = size;
    if (largest < 0) return;
    this.expected = Math.max(largest, this.expected * DECAY);
    if (this.mostRead < Infinity) this.mostRead *= GROWTH;
  }

  take(bytes: number): void {
    this.held += bytes;
  }

  give(bytes: number): void {
    this.held -= bytes;
  }

  /** How many more messages may be asked for. */
  get room(): number {
    return this.roomBeside(this.held);
  }

  /** Likewise, when so many bytes are held that were not taken here. */
  roomBeside(held: number): number {
    if (this.expected === 0) return this.mostRead;
    const fits = Math.floor((this.most - held) / this.expected);
    return Math.min(held === 0 ? Math.max(1, fits) : Math.max(0, fits), this.mostRead);
  }
}

/** What a message counts for. */
export function bytesOf({ content }: StoredEntry): number {
  return content.kind === 'message' ? content.frame.length : 0;
}
