import type { Acks } from '../message/acks.js';
import type { Agenda } from './agenda.js';
import type { DeadLetterStore } from './dead-letter-store.js';
import type { DedupStore } from './dedup-store.js';
import type { DeliveryStore } from './delivery-store.js';
import type { GroupPresence } from './group-presence.js';
import type { HalfMessageStore } from './half-message-store.js';
import type { Membership } from './membership.js';
import type { MessageLog } from './message-log.js';
import type { QueueLeaseStore } from './queue-lease-store.js';
import type { PauseStore } from './pause-store.js';
import type { PermitStore } from './permit-store.js';
import type { RateLimitStore } from './rate-limit-store.js';
import type { RecurringStore } from './recurring-store.js';
import type { ReplyStore } from './reply-store.js';
import type { ScheduleStore } from './schedule-store.js';
import type { Clock } from '../runtime/clock.js';
import type { StoreHealth } from '../runtime/store-health.js';
import type { TopicRegistry } from './topic-registry.js';

/**
 * Everything core asks of storage. Every method takes its time from the store's own clock.
 *
 * Two implementations are held to one contract suite: Redis, and memory for tests.
 */
export interface Stores {
  readonly topics: TopicRegistry;
  readonly log: MessageLog;
  readonly schedule: ScheduleStore;
  readonly halves: HalfMessageStore;
  readonly deliveries: DeliveryStore;
  readonly leases: QueueLeaseStore;
  readonly recurring: RecurringStore;
  readonly paused: PauseStore;
  readonly rates: RateLimitStore;
  readonly permits: PermitStore;
  readonly deadLetters: DeadLetterStore;
  readonly dedup: DedupStore;
  readonly agenda: Agenda;
  readonly members: Membership;
  readonly presence: GroupPresence;
  readonly replies: ReplyStore;

  /** Only of stores in this process: what they go by. Whoever uses them has to go by it, too. */
  readonly clock?: Clock;

  /**
   * Resolves when the store can be used; rejects when that is out of the question within `timeoutMs`.
   *
   * @param wanted.acks how far sends will want to be stored.
   * @throws StoreRefusedError at once when it is reached and cannot be used so, e.g. with reason `NO_DISK_ACKS`.
   */
  open(timeoutMs: number, wanted?: { acks: Acks }): Promise<void>;

  /** What the store says of itself, asked now. */
  health(): Promise<StoreHealth>;

  /** Tells whether calls can be made right now, and when that changes. */
  readonly availability: Availability;

  /** Ends at once, also when the store is down; calls under way reject. Safe to repeat. */
  close(): Promise<void>;
}

export interface Availability {
  /** What people call it: where it is, without a password. */
  readonly name: string;
  readonly ready: boolean;
  /** Why it is not ready, for people, if that is known. */
  readonly why: string | undefined;
  /** Called with each change. Returns the function that stops it. */
  onChange(listener: (ready: boolean, error?: Error) => void): () => void;
  /**
   * Called when the store, or a part of it that may fail alone (a node of a cluster), is reached, for the first time or again: it
   * may have forgotten the last of what it confirmed. Returns the function that stops it.
   */
  onReached(listener: () => void): () => void;
}
