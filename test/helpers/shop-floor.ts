import type { HalfView } from '../../lib/core/store/half-message-store.js';
import type { Stores } from '../../lib/core/store/stores.js';
import { bodyOf } from '../contract/messages.js';
import type { TestDatabase } from './postgres.js';
import { whenStored, within } from './workload.js';

/** What is seen of orders by those who consume: each body is the id of an order, in each of the topics. */
export class ShopFloor {
  private readonly stores: Pick<Stores, 'halves' | 'log'>;
  private readonly topics: readonly string[];
  private readonly queues: number;

  constructor(options: {
    stores: Pick<Stores, 'halves' | 'log'>;
    topics: readonly string[];
    queues: number;
  }) {
    this.stores = options.stores;
    this.topics = options.topics;
    this.queues = options.queues;
  }

  async halves(): Promise<HalfView[]> {
    const refs = this.topics.flatMap((topic) =>
      Array.from({ length: this.queues }, (_, queue) => ({ topic, queue })),
    );
    const halves = refs.map((ref) => this.stores.halves.list(ref, { count: 10_000 }));
    return (await Promise.all(halves)).flat();
  }

  /** Resolves when nobody waits any more for the decision about a transaction, or for its messages. */
  whenDecided({ query }: Pick<TestDatabase, 'query'>): Promise<void> {
    const decided = whenStored(async () => {
      const waiting = await query('SELECT id FROM rivulet_outbox');
      return waiting.length === 0 && (await this.halves()).length === 0;
    });
    return within(60_000, 'decisions', decided);
  }

  /** What consumers can see, with the number of times. */
  async messages(topic: string): Promise<Map<string, number>> {
    const times = new Map<string, number>();
    for (let queue = 0; queue < this.queues; queue++) {
      const range = { topic, queue, from: '-', to: '+', count: 1_000_000 };
      for (const { content } of await this.stores.log.range(range)) {
        if (content.kind !== 'message') continue;
        const key = JSON.parse(bodyOf(content.frame).toString()) as string;
        times.set(key, (times.get(key) ?? 0) + 1);
      }
    }
    return times;
  }

  /** Orders without a message, messages without an order, and messages that are there twice, over all topics. */
  async differences(
    orders: ReadonlySet<string>,
  ): Promise<{ lost: string[]; ghosts: string[]; doubled: string[] }> {
    const found = { lost: [] as string[], ghosts: [] as string[], doubled: [] as string[] };
    for (const topic of this.topics) {
      const seen = await this.messages(topic);
      const named = (keys: Iterable<string>): string[] => [...keys].map((key) => `${topic} ${key}`);
      found.lost.push(...named([...orders].filter((key) => !seen.has(key))));
      found.ghosts.push(...named([...seen.keys()].filter((key) => !orders.has(key))));
      found.doubled.push(...named([...seen].flatMap(([key, times]) => (times > 1 ? [key] : []))));
    }
    return found;
  }
}
