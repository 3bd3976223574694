import type { DeliveredEntry } from '../../store/delivery-store.js';
import { howManyFit } from '../../runtime/how-many-fit.js';
import { type ByteBudget, bytesOf } from '../byte-budget.js';

/** What one call has taken so far: at most so many messages, of at most so many bytes; one always. */
export class Filling {
  private readonly options: { max: number; maxBytes: number; budget: ByteBudget };
  private entries: DeliveredEntry[] = [];
  private bytes = 0;

  constructor(options: Filling['options']) {
    this.options = options;
  }

  get isEmpty(): boolean {
    return this.entries.length === 0;
  }

  /** How many more may be asked for, if they are as large as the largest lately. */
  get wanted(): number {
    const { max, maxBytes, budget } = this.options;
    const left = max - this.entries.length;
    const fit = budget.fitInto(maxBytes - this.bytes);
    return Math.min(left, this.isEmpty ? Math.max(1, fit) : fit);
  }

  /** Ask for as many as are wanted, until there are no more. */
  async from(read: (count: number) => Promise<readonly DeliveredEntry[]>): Promise<void> {
    for (let isAll = false; !isAll && this.wanted > 0;) {
      const { wanted } = this;
      const found = await read(wanted);
      this.add(found);
      isAll = found.length < wanted;
    }
  }

  add(found: readonly DeliveredEntry[]): void {
    const sizes = found.map(bytesOf);
    this.options.budget.learn(sizes);
    this.entries.push(...found);
    for (const size of sizes) this.bytes += size;
  }

  /** What is to be handed out, and what was read in excess: larger than expected, or one from each of many queues. */
  divided(): { kept: DeliveredEntry[]; excess: DeliveredEntry[] } {
    const { max, maxBytes } = this.options;
    const keep = Math.min(max, howManyFit(this.entries.map(bytesOf), maxBytes));
    return { kept: this.entries.slice(0, keep), excess: this.entries.slice(keep) };
  }
}
