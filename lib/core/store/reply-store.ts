/** Where one requester waits for its answers. */
export interface ReplyInbox {
  /** Travels with each request as `replyTo`. */
  readonly address: string;

  /** Packets in the order they were sent; waits up to `blockMs`. Each packet is read once. */
  read(options: { blockMs: number; signal: AbortSignal }): Promise<Buffer[]>;

  /** Removes the inbox; later answers are dropped. */
  close(): Promise<void>;
}

export type ReplyState = 'sent' | 'gone' | 'full';

/** The way back of request and reply. Answers are kept only while somebody waits for them. */
export interface ReplyStore {
  /**
   * An inbox that disappears by itself when it was not read for `ttlMs`, and takes no more while packets of `maxBytes` wait in it;
   * one it always takes. Small packets may be counted by their number instead.
   */
  openInbox(options: { ttlMs: number; maxBytes: number }): Promise<ReplyInbox>;

  /**
   * @returns `gone` when nobody waits there (any more): the answer is dropped; `full` when too much waits there already: it was
   *   not taken.
   */
  reply(address: string, packet: Buffer): Promise<ReplyState>;

  /**
   * Make an inbox again that is gone, for whoever waits there all the same: the store lost it, and its owner does not know yet. It
   * disappears after `ttlMs` unless its owner reads it. Safe to repeat: one that is there stays as it is.
   */
  revive(address: string, options: { ttlMs: number; maxBytes: number }): Promise<void>;
}
