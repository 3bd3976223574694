/** What a store says of itself. */
export interface StoreHealth {
  /** What it is, e.g. `Redis 7.0.15`. */
  readonly server: string;
  /**
   * What a confirmed message survives: `none` no restart; `snapshots` a restart, but for what came after the last
   * snapshot; `everysec` a kill, and a power cut but for a second or two; `always` both; `append-only` at least a kill,
   * the rest it would not tell.
   */
  readonly durability: Durability;
  readonly problems: readonly StoreProblem[];
}

export type Durability = 'none' | 'snapshots' | 'append-only' | 'everysec' | 'always';

/** Something an operator should know. `error`: sends are refused, or messages may be lost without a word. */
export interface StoreProblem {
  readonly level: 'warning' | 'error';
  /** One word to branch on, e.g. `EVICTION`. */
  readonly code: string;
  /** The server it is about, as in `text`: several of a cluster may have the same problem. */
  readonly target?: string;
  readonly text: string;
}
