import type { Clock } from '../../runtime/clock.js';
import { Loop } from '../../runtime/loop.js';
import type { TopicRegistry } from '../../store/topic-registry.js';

/** Gets the names of all topics. Resolves once it has done with them what can be done now. */
export type OnTopics = (topics: readonly string[]) => Promise<void>;

const LOOK_MS = 1_000;
/** The number of topics is the same when one was made and another removed: the names are asked for at times, too. */
const LIST_EVERY_MS = 30_000;

/**
 * Tells which topics there are, to all subscriptions of this process that follow patterns: asks for their number once a
 * second, and for their names when it has changed.
 */
export class TopicWatch {
  private readonly registry: TopicRegistry;
  private readonly clock: Clock;
  private readonly followers: OnTopics[] = [];
  private readonly loop: Loop;
  private known: number | undefined;
  private listedAt = -Infinity;
  /** How many have begun to follow, and how many of them had when all were told for the last time. */
  private joined = 0;
  private told = 0;

  constructor(options: { registry: TopicRegistry; clock: Clock; onError(error: unknown): void }) {
    this.registry = options.registry;
    this.clock = options.clock;
    this.loop = new Loop({
      name: 'topics',
      clock: options.clock,
      step: () => this.look(),
      onError: options.onError,
      // A topic that cannot be taken may stay so until somebody changes something.
      backOffMs: { from: LOOK_MS, to: LIST_EVERY_MS },
    });
  }

  list(): Promise<string[]> {
    return this.registry.list();
  }

  /** From now on. */
  follow(onTopics: OnTopics): void {
    this.followers.push(onTopics);
    this.joined += 1;
    this.loop.start();
  }

  unfollow(onTopics: OnTopics): void {
    const at = this.followers.indexOf(onTopics);
    if (at !== -1) this.followers.splice(at, 1);
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async look(): Promise<number> {
    if (this.followers.length === 0) return LOOK_MS;
    const count = await this.registry.count();
    const now = this.clock.monotonic();
    const { joined } = this;
    const isDue = joined !== this.told || now - this.listedAt >= LIST_EVERY_MS;
    if (count === this.known && !isDue) return LOOK_MS;
    const topics = await this.registry.list();
    await Promise.all(this.followers.map((onTopics) => onTopics(topics)));
    // Not before all have done with them: after a failure they are told again.
    this.known = count;
    this.told = joined;
    this.listedAt = now;
    return LOOK_MS;
  }
}
