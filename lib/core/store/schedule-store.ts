import type { QueueRef } from './refs.js';

/** A message that is not visible yet; `dueAt` is Unix ms by the store's clock. */
export interface ScheduledEntry {
  readonly messageId: string;
  readonly frame: Buffer;
  readonly dueAt: number;
}

/** Messages that become visible later. They are put there by `MessageLog.append` with `due`. */
export interface ScheduleStore {
  /**
   * Append what is due to its queue, in order of due time, at most `limit` messages in one atomic step.
   *
   * Any number of processes may call it at once: a message is released by one of them. Refused by a store that is
   * out of memory; the messages stay scheduled then.
   */
  releaseDue(
    ref: QueueRef,
    limit: number,
  ): Promise<{ released: number; nextDueAt: number | null; now: number }>;

  /** @returns false when it is not scheduled here (any more). */
  cancel(ref: QueueRef, messageId: string): Promise<boolean>;

  /** @returns false when it is not scheduled here (any more). */
  reschedule(
    ref: QueueRef,
    messageId: string,
    due: { delayMs: number } | { at: number },
  ): Promise<boolean>;

  find(ref: QueueRef, messageId: string): Promise<{ frame: Buffer; dueAt: number } | undefined>;

  /** By due time, equal times by message id; from `after` (exclusive) on, which need not be there any more. */
  list(
    ref: QueueRef,
    page: { after?: Pick<ScheduledEntry, 'dueAt' | 'messageId'>; count: number },
  ): Promise<ScheduledEntry[]>;

  count(ref: QueueRef): Promise<number>;
}
