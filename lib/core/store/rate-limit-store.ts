/** How often something may begin: `max` at once, and `max` for each `perMs` after that. */
export interface RateLimit {
  readonly max: number;
  readonly perMs: number;
}

export interface TokenReply {
  /** How many may begin. */
  granted: number;
  /** How many more could have. */
  left: number;
  /** When fewer were granted than wanted: until there is another one, in milliseconds. */
  waitMs: number;
}

/** One bucket of tokens for each subscription, shared by all processes and filled by the store's clock. */
export interface RateLimitStore {
  /** A bucket that nobody touched is full. Not safe to repeat: a lost reply has taken its tokens. */
  take(
    of: { topic: string; group: string },
    options: { want: number; limit: RateLimit },
  ): Promise<TokenReply>;
}
