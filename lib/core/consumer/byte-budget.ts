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
  private mostRead: number;

  /** `firstRead`: how many are asked for while nothing is known of their size. Default 16. */
  constructor(options: { mostBytes: number; firstRead?: number }) {
    this.most = options.mostBytes;
    this.mostRead = options.firstRead ?? FIRST_READ;
  }

  /** These were read. */
  learn(sizes: Iterable<number>): void {
    let largest = -1;
    for (const size of sizes) if (size > largest) largest = size;
    if (largest < 0) return;
    this.expected = Math.max(largest, this.expected * DECAY);
    if (this.mostRead < Infinity) this.mostRead *= GROWTH;
  }

  /** Of the next message, by what came lately. */
  get expectedBytes(): number {
    return this.expected;
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
    return Math.max(held === 0 ? 1 : 0, this.fitInto(this.most - held));
  }

  /** How many as large as the largest lately fit into so many bytes. */
  fitInto(bytes: number): number {
    if (this.expected === 0) return this.mostRead;
    return Math.min(Math.max(0, Math.floor(bytes / this.expected)), this.mostRead);
  }
}

/** What a message counts for. */
export function bytesOf({ content }: Pick<StoredEntry, 'content'>): number {
  if (content.kind === 'message') return content.frame.length;
  return content.kind === 'foreign' ? bytesOfFields(content.fields) : 0;
}

/** What each field of another program's entry takes beside its bytes: such an entry may have hundreds of thousands. */
const FIELD_BYTES = 100;

function bytesOfFields(fields: readonly Buffer[]): number {
  let sum = 0;
  for (const field of fields) sum += FIELD_BYTES + field.length;
  return sum;
}
