import type { QueueRef, StoredEntry } from './refs.js';

/** A queue as seen by one consumer group. */
export interface GroupQueue extends QueueRef {
  readonly group: string;
}

/**
 * In whose hands a delivery is while it waits for its next attempt. Who settles in this name needs nothing but the
 * receipt: the delivery is hidden until its time comes, and this receipt is void as soon as it is handed out again.
 */
export const WAITING = '~waiting';

/** A message handed to a consumer. */
export interface DeliveredEntry extends StoredEntry {
  /** How often it was started, this time included: the delivery attempt, from 1. */
  readonly attempt: number;
  /** Proof of this delivery together with the consumer's name: settling with an older one is refused. */
  readonly deliveryCount: number;
  /** It was in hand when a consumer crashed, perhaps as the cause: run it alone. */
  readonly suspect: boolean;
  /** What earlier attempts left behind, as `settle` was given it; empty at first. */
  readonly history: string;
}

export interface ClaimReply {
  entries: DeliveredEntry[];
  /** When the next waiting delivery falls due, Unix ms by the store's clock; null when none waits. */
  nextDueAt: number | null;
  now: number;
}

export type Settlement =
  | { kind: 'ack' }
  /** Hand it out again after `delayMs`, at its old offset. An empty history: as it was. */
  | { kind: 'retry'; delayMs: number; history: string }
  /** It was not started after all: hand it out again after `delayMs`, this attempt does not count. */
  | { kind: 'release'; delayMs: number }
  /** Keep a copy with `note` among the dead letters of the group. */
  | { kind: 'dead-letter'; note: string };

export interface SettleItem {
  offset: string;
  deliveryCount: number;
  settlement: Settlement;
}

/** `stale`: settled already, or in other hands since; nothing changed. */
export type SettleReply = 'settled' | 'stale';

export interface GroupLag {
  /**
   * Visible and never handed out; null when the store cannot tell. Too high after a failover or a restart of Redis 7.0, until
   * the group has had few left.
   */
  undelivered: number | null;
  /** In some consumer's hands. */
  inFlight: number;
  /** Waiting for their next attempt. */
  waiting: number;
  /** In lanes of an ordered group that wait for the operator, or that had too many messages. */
  held: number;
  deadLetters: number;
  /** Offset of the oldest delivery that is not settled. */
  oldestUnsettled: string | null;
}

/** Reads for one consumer of one group; owns what blocking needs. */
export interface GroupReader {
  /**
   * Called when others were served, so that no read failed, while the reply of one queue may have been lost: what it held is
   * pending under this consumer's name and comes back through `renew`.
   */
  onLostReply?: () => void;

  /**
   * Messages that no member of the group was given before, at most `perQueue` from each queue. Waits up to
   * `blockMs` when there is none (0: does not wait).
   *
   * `onArrival` may be called with them, once, as soon as they are there, never before `read` has returned: a handler need not
   * wait for promises. The promise answers `[]` then.
   *
   * `leavesNow`: its caller keeps this process busy for a while after it. What does not wait is asked at once, together with what
   * was settled before it in this turn, instead of when the turn ends.
   *
   * @throws QueueFaultedError one queue cannot be read. Others may be.
   * @throws StoreUnavailableError the reply may have been lost: what it held is pending under this consumer's name
   *   and comes back through `renew`.
   */
  read(request: {
    queues: readonly QueueRef[];
    perQueue: number;
    blockMs: number;
    signal: AbortSignal;
    leavesNow?: boolean;
    onArrival?(entries: DeliveredEntry[]): void;
  }): Promise<DeliveredEntry[]>;

  /** Ends a waiting read. Nothing can be read afterwards. */
  close(): Promise<void>;
}

/**
 * Deliveries of a consumer group: handed out, settled, handed out again.
 *
 * A message that was handed out stays at its offset until it is settled; a retry never moves it. Attempts are the
 * library's own count: a first delivery is implied, every later start is recorded before it happens. A start that
 * was cut off by a crash is not counted unless the message ran alone (`suspect`), so that a message that kills its
 * consumer pays for it and its neighbours do not.
 */
export interface DeliveryStore {
  openReader(group: string, consumer: string): GroupReader;

  /**
   * In how many milliseconds the first delivery that waits in each queue falls due: 0 when one is due, null when none waits. A
   * queue of which this cannot be told answers 0: who claims there learns why. One whose server does not answer is null as
   * long as others answer. Takes nothing.
   *
   * @throws StoreUnavailableError when none answers.
   */
  dueIn(refs: readonly GroupQueue[]): Promise<(number | null)[]>;

  /**
   * Take waiting deliveries that are due, at most `limit`: if `suspect`, one suspect first, then retries and released
   * ones.
   */
  claimDue(
    ref: GroupQueue,
    claim: { consumer: string; limit: number; suspect: boolean },
  ): Promise<ClaimReply>;

  /**
   * Settle deliveries, all in one atomic step; one reply for each. Safe to repeat: what was settled answers
   * `stale`. Works when the store is out of memory, except that a dead letter may need a little.
   */
  settle(ref: GroupQueue, consumer: string, items: readonly SettleItem[]): Promise<SettleReply[]>;

  /**
   * "These are in my hands": keeps them invisible to the store's own tools and tells which are not ours any more.
   * What else is pending under this consumer's name for longer than `swallowedAfterMs` was handed out in a reply
   * that never arrived: it is released, and its attempt does not count.
   */
  renew(
    ref: GroupQueue,
    renewal: {
      consumer: string;
      inHand: readonly { offset: string; deliveryCount: number }[];
      swallowedAfterMs: number;
    },
  ): Promise<{ lost: string[]; released: number }>;

  /**
   * Take back what a dead consumer held, at most `limit` per call, and forget the consumer once it holds nothing.
   * Safe to repeat.
   */
  reclaim(
    ref: GroupQueue,
    consumer: string,
    limit: number,
  ): Promise<{ taken: number; left: number }>;

  /**
   * The store knows the consumer from now on, also while there is nothing to read. One that is out of memory knows it once it
   * has read something. Safe to repeat.
   */
  enroll(ref: GroupQueue, consumer: string): Promise<void>;

  /** Names of consumers the store knows in this group: that were enrolled, or read or claimed something. */
  consumers(ref: GroupQueue): Promise<string[]>;

  lag(ref: GroupQueue): Promise<GroupLag>;

  /**
   * Move the group to another place in the queue: every message behind `behind` (an offset, or `latest`) is handed out as
   * if for the first time, none before it. What was in hand or waited is forgotten; dead letters stay. Safe to repeat.
   *
   * For groups without order; `QueueLeaseStore.rewind` is for those with.
   *
   * @returns false when there is no such group; nothing changed.
   */
  rewind(ref: GroupQueue, behind: string): Promise<boolean>;
}
