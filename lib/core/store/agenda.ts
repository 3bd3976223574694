/**
 * Which queues have work that falls due, and when: one small list, of a namespace or of those who check halves, so that an
 * idle process asks one question a second at most, however many topics there are.
 *
 * The list is a hint with a promise: an entry is never later than the earliest work noted for it. What is really
 * due is decided by the queue's own store. `work` is any text that tells the caller what to do.
 */
export interface Agenda {
  /** There is work at `at` (Unix ms by the store's clock). Note it before it is stored: a note too many is harmless. */
  note(work: string, at: number): Promise<void>;

  /**
   * Take up to `limit` entries that are due. Each is hidden from others for `leaseMs`; if the taker dies it comes
   * back by itself.
   *
   * @returns the store's time and the time of the next entry, besides the taken ones.
   */
  take(options: { limit: number; leaseMs: number }): Promise<{
    now: number;
    taken: { work: string; version: string }[];
    nextAt: number | null;
  }>;

  /**
   * The taken work is done until `nextAt` (null: there is no more). If somebody noted work meanwhile, the entry
   * stays due at once instead, so that nothing is slept over.
   */
  finish(work: string, version: string, nextAt: number | null): Promise<void>;

  /** Everything that is noted, also what is taken. */
  list(): Promise<string[]>;
}
