/** How ordered subscriptions share and keep their queues. */
export interface OrderedTiming {
  /** A queue whose owner did not renew for this long may be taken by another. Default 15 000. */
  leaseMs: number;
  /** How often a lease is renewed. Default 5 000. */
  renewMs: number;
  /**
   * An owner that could not renew for this long stops by itself, before the lease ends: its handlers are told by their
   * signals, and nothing more starts. Default 12 000.
   */
  selfStopMs: number;
  /** Queues change hands only once the members have been the same for this long. Default 10 000. */
  rebalanceDelayMs: number;
  /** Messages of one queue that wait in this process. Default 1 000. */
  queueBuffer: number;
  /** Messages of one lane that wait in this process; more are put aside in the store. Default 100. */
  laneBuffer: number;
  /**
   * Lanes of one queue whose first message is under way or waits for another attempt, in this process: nothing more of the queue is
   * read while there are as many. Default 20 000.
   */
  maxLanes: number;
  /**
   * Lanes of one queue that are parked: nothing more of the queue is read while there are as many, until an operator lets some of
   * them go on. Default 20 000.
   */
  maxParkedLanes: number;
}

export const DEFAULT_ORDERED_TIMING: OrderedTiming = {
  leaseMs: 15_000,
  renewMs: 5_000,
  selfStopMs: 12_000,
  rebalanceDelayMs: 10_000,
  queueBuffer: 1_000,
  laneBuffer: 100,
  maxLanes: 20_000,
  maxParkedLanes: 20_000,
};
