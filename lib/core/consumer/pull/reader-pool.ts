import type { GroupReader } from '../../store/delivery-store.js';

/** Readers of one group, one for each call that waits; those that are free are used again. */
export class ReaderPool {
  private readonly open: () => GroupReader;
  private readonly free: GroupReader[] = [];
  private readonly busy = new Set<GroupReader>();
  private closed = false;

  constructor(options: { open(): GroupReader }) {
    this.open = options.open;
  }

  async use<T>(work: (reader: GroupReader) => Promise<T>): Promise<T> {
    const reader = this.free.pop() ?? this.open();
    this.busy.add(reader);
    try {
      return await work(reader);
    } finally {
      this.busy.delete(reader);
      if (!this.closed) this.free.push(reader);
    }
  }

  /** Ends waiting reads. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.free, ...this.busy].map((reader) => reader.close()));
  }
}
