/** One queue of a topic: the unit of order and of atomicity. */
export interface QueueRef {
  readonly topic: string;
  readonly queue: number;
}

/** All queues of a topic. */
export function queuesOf({ topic, queues }: { topic: string; queues: number }): QueueRef[] {
  return Array.from({ length: queues }, (_, queue) => ({ topic, queue }));
}

/** Where the first member of a new consumer group begins. A group that exists goes on where it stands. */
export type StartFrom = 'earliest' | 'latest' | Date;

/** Entry as it stands in a queue. */
export interface StoredEntry extends QueueRef {
  readonly offset: string;
  readonly content: EntryContent;
}

/**
 * `message`: one of ours, still packed (`decodeMessage`). `only` names the one group that a redriven message is for.
 * `foreign`: another program's fields, names and values in turn.
 * `gone`: the entry was deleted while it was pending.
 */
export type EntryContent =
  | {
      readonly kind: 'message';
      readonly frame: Buffer;
      readonly only: string | null;
    }
  | { readonly kind: 'foreign'; readonly fields: readonly Buffer[] }
  | { readonly kind: 'gone' };
