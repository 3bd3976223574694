/** What a process says of one key: all that it uses, so that a repeat changes nothing. */
export interface PermitAsk {
  readonly key: string;
  /** Permits that are in use here. */
  readonly held: number;
  /** How many more are wanted. With none held and none wanted all are given back. */
  readonly want: number;
}

export interface PermitReply {
  /** How many are this process's now: what it holds, and what it was given. Fewer than held: they had lapsed. */
  granted: number;
  /** Another process has none and waits for one. */
  contested: boolean;
}

export interface PermitCall {
  readonly member: string;
  /** How many there are for each key. */
  readonly max: number;
  /** How long they stay this process's without another call. */
  readonly leaseMs: number;
  /** How long it counts as waiting without another call. */
  readonly patienceMs: number;
  /** Each key once. */
  readonly asks: readonly PermitAsk[];
}

/**
 * Permits to handle messages of one key, `max` for each key, shared by all processes of a subscription.
 *
 * Who has none comes before who wants more, and in the order in which they came. Permits of a process that died lapse
 * with their lease, so that none is lost.
 */
export interface PermitStore {
  /** One reply for each. Safe to repeat. */
  take(of: { topic: string; group: string }, call: PermitCall): Promise<PermitReply[]>;
}
