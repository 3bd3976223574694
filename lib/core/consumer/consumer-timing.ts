export interface ConsumerTiming {
  /** Longest wait of one read, at most 5 s. Default 5 000. */
  blockMs: number;
  /** How often long handlers are renewed. Default 10 000. */
  renewMs: number;
  /** What is in our name for longer without being in our hands was in a reply that got lost. Default 5 000. */
  swallowedAfterMs: number;
  /** How long a queue that cannot be read is left alone. Default 30 000. */
  quarantineMs: number;
  /**
   * Most bytes of messages that one subscription has in its handlers, and an ordered one in its lanes; it reads no more until
   * some of them end. Default 64 MiB. One message is always handled, however large, in order one of each queue.
   */
  maxInHandBytes: number;
  /**
   * How long the claim of an idempotent handler lasts, and a permit of `concurrencyPer`; both are renewed each third of it
   * while the handler runs. A message whose consumer died waits for the rest of it. Default 30 000.
   */
  claimLeaseMs: number;
}

export const DEFAULT_CONSUMER_TIMING: ConsumerTiming = {
  blockMs: 5_000,
  renewMs: 10_000,
  swallowedAfterMs: 5_000,
  quarantineMs: 30_000,
  maxInHandBytes: 64 * 1024 * 1024,
  claimLeaseMs: 30_000,
};
