/** What a dedup record is about: a key means the same only within one consumer group and one topic. */
export interface DedupRef {
  readonly group: string;
  readonly topic: string;
  readonly key: string;
}

/**
 * A claim on a dedup record. No two attempts at one record have the same `owner`, so that a repeated call is told from a
 * rival; those at different records may, and many of one owner cost the store less when they are asked together.
 */
export interface DedupClaim {
  readonly owner: string;
  /** The claim lapses after this long, from 1 ms, unless it is renewed. */
  readonly leaseMs: number;
}

export type BeginReply =
  /** The record is in progress now, and this owner's. */
  | { state: 'new' }
  /** Somebody else's, for `leftMs` more unless it is renewed. */
  | { state: 'busy'; leftMs: number }
  /** Handled before; `result` as `complete` was given it. */
  | { state: 'done'; result: Buffer | undefined };

/** It was handled: what its record is to say from then on. */
export interface DedupCompletion {
  readonly owner: string;
  /** How long it is remembered, from 1 ms. */
  readonly ttlMs: number;
  readonly result?: Buffer | undefined;
}

/**
 * Who asks, and hears the answer: one of the two, once, after `begin` has returned. Told among the answers to others, so in
 * any `AsyncLocalStorage` of any of them, and must not throw. No promise, each of which is a good part of what a message
 * costs (decision 13); `claimed` and `completed` make one.
 */
export interface BeginAsker {
  begun(reply: BeginReply): void;
  beginFailed(error: unknown): void;
}

/** As `BeginAsker`. */
export interface CompleteAsker {
  completed(reply: 'completed' | 'lost'): void;
  completeFailed(error: unknown): void;
}

export type DedupRecord =
  | { state: 'in-progress'; owner: string; leftMs: number }
  | { state: 'done'; result: Buffer | undefined };

/**
 * Which messages have been handled, and which are being handled now.
 *
 * A record is absent, in progress (an owner, a lease) or done (a lifetime, perhaps a result). Two steps, since one is
 * wrong either way: a mark before the handler loses the message when the handler fails, a mark after it lets two
 * handlers run at once. Every call works when the store is out of memory: consuming must go on.
 *
 * Renewals, completions and abandons are carried out in the order they are asked; begins, before or after what is asked in the
 * same turn: an owner knows that its claim was granted before it asks anything else of it.
 */
export interface DedupStore {
  /**
   * The same, for whoever asks about it several times: the store finds out once where it lies. No call is made.
   *
   * @param known.isMessageId the key is the id of a message, which spares the store a look. Default: nobody knows.
   */
  recordOf(ref: DedupRef, known?: { isMessageId: boolean }): DedupRef;

  /** Claim the record. Safe to repeat by the same owner: its lease begins anew. */
  begin(ref: DedupRef, claim: DedupClaim, asker: BeginAsker): void;

  /** Prolong the claim; one that lapsed meanwhile is made again unless somebody else has the record. Safe to repeat. */
  renew(ref: DedupRef, claim: DedupClaim): Promise<'renewed' | 'lost'>;

  /**
   * It was handled: done for `ttlMs`. Safe to repeat. Answered `lost` when somebody else has claimed or completed it since;
   * nothing changed then.
   */
  complete(ref: DedupRef, done: DedupCompletion, asker: CompleteAsker): void;

  /**
   * It was not handled: give up the claim, so that another attempt may begin at once. Safe to repeat.
   *
   * @returns `lost` when it is not this owner's (any more); nothing changed.
   */
  abandon(ref: DedupRef, owner: string): Promise<'abandoned' | 'lost'>;

  find(ref: DedupRef): Promise<DedupRecord | undefined>;

  /** Forget what is known, in progress or done: the next message with this key is handled. @returns false: nothing was. */
  forget(ref: DedupRef): Promise<boolean>;
}

/** Begins, for whoever waits for one answer only. */
export function claimed(dedup: DedupStore, ref: DedupRef, claim: DedupClaim): Promise<BeginReply> {
  return new Promise((begun, beginFailed) => dedup.begin(ref, claim, { begun, beginFailed }));
}

/** Completes, for whoever waits for one answer only. */
export function completed(
  dedup: DedupStore,
  ref: DedupRef,
  done: DedupCompletion,
): Promise<'completed' | 'lost'> {
  return new Promise((resolve, completeFailed) =>
    dedup.complete(ref, done, { completed: resolve, completeFailed }),
  );
}
