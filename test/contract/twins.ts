import { inspect, isDeepStrictEqual } from 'node:util';
import type { Stores } from '../../lib/core/store/stores.js';
import type { Harness, OpenHarness } from './harness.js';
import { QUEUE } from './messages.js';

/** One of two stores that are told the same. */
export class Twin {
  readonly clients: readonly [Stores, Stores];
  private readonly harness: Harness;
  private readonly start: number;
  /** Offset → how many entries were before it. Nothing is trimmed here, so a place never changes. */
  private readonly places = new Map<string, number>();
  private lastSeen = '-';

  private constructor(harness: Harness, sibling: Stores) {
    this.harness = harness;
    this.clients = [harness.stores, sibling];
    this.start = harness.now();
  }

  static async open(open: OpenHarness): Promise<Twin> {
    const harness = await open();
    return new Twin(harness, await harness.sibling());
  }

  advance(ms: number): Promise<void> {
    return this.harness.advance(ms);
  }

  close(): Promise<void> {
    return this.harness.close();
  }

  /** What was added to the queue since the last look. Learns the places of its offsets. */
  async lookAtNews(): Promise<unknown> {
    const range = { ...QUEUE, from: this.lastSeen, to: '+', count: 100_000 };
    const entries = await this.clients[0].log.range(range);
    const news = entries.filter(({ offset }) => !this.places.has(offset));
    for (const { offset } of news) this.places.set(offset, this.places.size);
    this.lastSeen = entries.at(-1)?.offset ?? '-';
    return this.inCommonWords(news);
  }

  /** Times from the start instead of Unix ms, places instead of offsets, text instead of bytes. */
  inCommonWords(value: unknown): unknown {
    if (typeof value === 'number') return value > 1e12 ? `+${value - this.start} ms` : value;
    if (typeof value === 'string') {
      const place = this.places.get(value);
      return place === undefined ? value : `entry ${place}`;
    }
    if (Buffer.isBuffer(value)) return value.toString('latin1');
    if (Array.isArray(value)) return value.map((item) => this.inCommonWords(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        // Ids of dead letters and generations are each store's own.
        .filter(([name]) => name !== 'id' && name !== 'generation')
        .map(([name, item]) => [name, this.inCommonWords(item)]),
    );
  }
}

/** Both answers to one question. */
export interface Both<T> {
  readonly left: T;
  readonly right: T;
}

/** Two stores that must give the same answers. */
export class Twins {
  private readonly left: Twin;
  private readonly right: Twin;
  readonly story: string[] = [];

  constructor(left: Twin, right: Twin) {
    this.left = left;
    this.right = right;
  }

  async advance(ms: number): Promise<void> {
    this.story.push(`advance ${ms} ms`);
    await this.left.advance(ms);
    await this.right.advance(ms);
  }

  /** Ask both; throws when they differ. `client`: which of the two clients of each asks. */
  async ask<T>(
    what: string,
    client: 0 | 1,
    question: (stores: Stores, side: keyof Both<T>) => Promise<T>,
  ): Promise<Both<T>> {
    this.story.push(`client ${client}: ${what}`);
    const both = {
      left: await question(this.left.clients[client], 'left'),
      right: await question(this.right.clients[client], 'right'),
    };
    this.compare('what is new in the queue', {
      left: await this.left.lookAtNews(),
      right: await this.right.lookAtNews(),
    });
    this.compare('the answers', {
      left: this.left.inCommonWords(both.left),
      right: this.right.inCommonWords(both.right),
    });
    return both;
  }

  private compare(what: string, { left, right }: Both<unknown>): void {
    if (isDeepStrictEqual(left, right)) return;
    const show = (value: unknown): string => inspect(value, { depth: 8, breakLength: 120 });
    throw new Error(`${what} differ\nleft:  ${show(left)}\nright: ${show(right)}`);
  }
}
