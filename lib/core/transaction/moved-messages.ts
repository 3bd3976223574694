import type { TopicDirectory } from '../producer/topic-directory.js';
import type { HalfMessageStore } from '../store/half-message-store.js';
import { TopicKeepsChangingError } from './errors.js';
import { type KeptMessage, placed, type QueueRun, runsOf } from './kept-message.js';
import { partOf, type TransactionFacts } from './transaction-facts.js';

/** Messages that cannot go where they were meant to. */
export interface Moved {
  readonly facts: TransactionFacts;
  readonly topic: string;
  /** What tells them from the other messages of `facts`: where they were meant to go. */
  readonly from: string;
  readonly messages: readonly KeptMessage[];
  /** How often their topic has changed while somebody was at work on them. */
  readonly moves: number;
}

/** How often a topic may change under messages before they are left for later. */
const MOST_MOVES = 3;

/**
 * New queues for messages of committed transactions whose topic has changed since they were sent, or was not known then.
 *
 * Whoever publishes them may die halfway, and the topic may change again before somebody else goes on. So the first one
 * to place them says by which generation, in the store, and all others do it alike: each message has one way through the
 * generations of its topic, and what was published on it already is recognised.
 */
export class MovedMessages {
  private readonly halves: Pick<HalfMessageStore, 'placeOnce'>;
  private readonly topics: TopicDirectory;

  constructor(options: { halves: Pick<HalfMessageStore, 'placeOnce'>; topics: TopicDirectory }) {
    this.halves = options.halves;
    this.topics = options.topics;
  }

  /**
   * @throws TopicKeepsChangingError once it has changed three times in a row; SendFailedError when it has no such queue. Nothing
   *   is published then, and a repeat goes on from there.
   */
  async place(moved: Moved): Promise<{ facts: TransactionFacts; runs: QueueRun[]; moves: number }> {
    const { topic, messages, moves } = moved;
    const facts = partOf(moved.facts, moved.from);
    const info = await this.topics.refresh(topic);
    const now = messages.map((message) => placed(message, info, facts.id));
    const said = await this.halves.placeOnce(topic, facts.id, info);
    if (said.isNew && moves === MOST_MOVES)
      throw new TopicKeepsChangingError(topic, moved.facts.id);
    const isNow = said.generation === info.generation;
    const anew = isNow
      ? now
      : messages.map((message) => placed(message, { ...said, topic }, facts.id));
    return { facts, runs: runsOf(anew), moves: said.isNew ? moves + 1 : moves };
  }
}
