/** A send that comes again and again, as the store keeps it. */
export interface RecurringEntry {
  readonly name: string;
  /** Opaque to the store. */
  readonly definition: string;
  /** Its next time, Unix ms. */
  readonly nextAt: number;
}

/** Recurring sends of a namespace, by name. When they are due is for the agenda to say. */
export interface RecurringStore {
  /** Safe to repeat; another definition replaces the one there is. */
  put(entry: RecurringEntry): Promise<void>;

  find(name: string): Promise<RecurringEntry | undefined>;

  /** Sorted by name. */
  list(): Promise<RecurringEntry[]>;

  /**
   * The time `from` is done, the next one is `to`.
   *
   * @returns false when its next time is not `from` (any more), or it is gone; nothing changed.
   */
  advance(name: string, times: { from: number; to: number }): Promise<boolean>;

  /** @returns false when it was not there. */
  remove(name: string): Promise<boolean>;
}
