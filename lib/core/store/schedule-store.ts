import type { QueueRef } from './refs.js';

/** Where a message stands among the scheduled ones of its queue. */
export interface SchedulePlace {
  /** Unix ms by the store's clock. */
  readonly dueAt: number;
  readonly messageId: string;
}

export interface ScheduledEntry extends SchedulePlace {
  /** Empty where it was lost. */
  readonly frame: Buffer;
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
  list(ref: QueueRef, part: { after?: SchedulePlace; count: number }): Promise<ScheduledEntry[]>;

  count(ref: QueueRef): Promise<number>;
}
