import type { GroupQueue } from '../store/delivery-store.js';
import type { Subscription } from './subscription.js';

/** Paused in this process, or in every process of the group. */
export type PauseReason = 'here' | 'everywhere';

/** A subscription at work in this process, however it consumes. */
export interface RunningSubscription {
  readonly subscription: Subscription;

  /** Those it consumes: of a pattern, the topics that are known to fit. */
  readonly topics: readonly string[];

  /** Queues in which this process may hold deliveries in the name of the group; may change while it runs. */
  readonly queues: readonly GroupQueue[];

  readonly isStarted: boolean;

  /** Make the group known without reading yet. @throws InvalidOptionsError when other members differ. */
  join(): Promise<void>;

  /**
   * Make the group known and begin to read. The group exists in every queue when this resolves. Can be repeated after
   * a failure.
   */
  start(): Promise<void>;

  /** The topic has so many queues now: take what is new to this process. Nothing to do for other topics. Safe to repeat. */
  growTo(topic: string, queues: number): Promise<void>;

  /** This process may have been taken for dead: find out what is still ours. */
  recheck(): void;

  /**
   * Start no handler in this process until `resume`; those that run go on. What a read still brings goes to others, at no
   * cost in attempts. Safe to repeat. Two reasons do not know of each other: it goes on when both are over.
   */
  pause(why: PauseReason): void;
  resume(why: PauseReason): void;

  /**
   * Read no more, let handlers finish, settle. What still runs when `timeUp` aborts is told so by its signal.
   *
   * @returns true when nothing is left.
   */
  stop(timeUp: AbortSignal): Promise<boolean>;
}
