import type { StartFrom } from '../../store/refs.js';
import type { TopicRegistry } from '../../store/topic-registry.js';
import type { Subscription } from '../subscription.js';

/**
 * Where a group begins in the topics of a pattern, so that those made later are read from their start. With `latest` that
 * is the moment the group first followed the pattern, in whatever process; of a broadcast, which has no group, the moment
 * this process did.
 */
export class PatternStart {
  private readonly subscription: Subscription;
  private readonly topics: Pick<TopicRegistry, 'notePattern'>;
  private since: Promise<StartFrom> | undefined;
  /** Topics that were there when this process began to follow. */
  private old: Set<string> | undefined;

  constructor(options: { subscription: Subscription; topics: Pick<TopicRegistry, 'notePattern'> }) {
    this.subscription = options.subscription;
    this.topics = options.topics;
  }

  /** To be called before it is known which topics there are. Safe to repeat. */
  async note(): Promise<void> {
    if (this.isShared) await this.noted();
  }

  /** These topics there are. The first call counts. */
  found(topics: readonly string[]): void {
    this.old ??= new Set(topics);
  }

  /** What comes by this name later is another topic. */
  gone(topic: string): void {
    this.old?.delete(topic);
  }

  /** There are new topics: the clock of the store may have been set back since it was asked. */
  askAgain(): void {
    this.since = undefined;
  }

  async in(topic: string): Promise<StartFrom> {
    const { from } = this.subscription;
    if (from !== 'latest') return from;
    if (this.isShared) return this.noted();
    return this.old?.has(topic) ? 'latest' : 'earliest';
  }

  private get isShared(): boolean {
    const { from, mode } = this.subscription;
    return from === 'latest' && mode === 'clustering';
  }

  private noted(): Promise<StartFrom> {
    const { topic: pattern, group } = this.subscription;
    this.since ??= this.topics.notePattern(pattern, group).then(
      (since) => new Date(since),
      (error: unknown) => {
        // The next call asks again.
        this.since = undefined;
        throw error;
      },
    );
    return this.since;
  }
}
