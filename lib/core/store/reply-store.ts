/** Where one requester waits for its answers. */
export interface ReplyInbox {
  /** Travels with each request as `replyTo`. */
  readonly address: string;

  /** Packets in the order they were sent; waits up to `blockMs`. Each packet is read once. */
  read(options: { blockMs: number; signal: AbortSignal }): Promise<Buffer[]>;

  /** Removes the inbox; later answers are dropped. */
  close(): Promise<void>;
}

/** The way back of request and reply. Answers are kept only while somebody waits for them. */
export interface ReplyStore {
  /** An inbox that disappears by itself when it was not read for `ttlMs`. */
  openInbox(options: { ttlMs: number }): Promise<ReplyInbox>;

  /** @returns `gone` when nobody waits there (any more): the answer is dropped. */
  reply(address: string, packet: Buffer): Promise<'sent' | 'gone'>;
}
