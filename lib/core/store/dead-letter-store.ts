import type { GroupQueue } from './delivery-store.js';
import type { EntryContent } from './refs.js';

/** Copy of a message that a group gave up on. */
export interface DeadLetterEntry extends GroupQueue {
  /** Its place among the dead letters of this queue and group. */
  readonly id: string;
  /** Where the message stood. */
  readonly offset: string;
  /** As `settle` was given it. */
  readonly note: string;
  readonly content: EntryContent;
}

/** What a consumer group gave up on, kept until somebody redrives or deletes it. */
export interface DeadLetterStore {
  /** In order of their ids, from `after` (exclusive). */
  list(ref: GroupQueue, page: { after?: string; count: number }): Promise<DeadLetterEntry[]>;

  get(ref: GroupQueue, id: string): Promise<DeadLetterEntry | undefined>;

  count(ref: GroupQueue): Promise<number>;

  /**
   * Append the message again, for this group only, and remove the dead letter, in one atomic step. Attempts begin
   * anew.
   *
   * Safe to repeat: a dead letter is redriven once. @returns the new offset, or undefined when it is gone.
   */
  redrive(ref: GroupQueue, id: string): Promise<string | undefined>;

  /** @returns how many were there. */
  remove(ref: GroupQueue, ids: readonly string[]): Promise<number>;
}
