import type { Delivery } from '../core/consumer/subscription.js';
import type { DeliveryFacts, Events } from '../core/runtime/events.js';
import type { ManualClock } from './manual-clock.js';

export type Settled =
  | (DeliveryFacts & { state: 'acked' })
  | (DeliveryFacts & { state: 'duplicate'; dedupKey: string })
  | (DeliveryFacts & { state: 'dead-lettered'; reason: string; error: string | undefined });

interface Waiting<T> {
  matches(found: T): boolean;
  resolve(found: T): void;
}

/** A process needs a few milliseconds between what it does; so much passes by itself while a test waits. */
const PASSES_BY_ITSELF_MS = 50;
/** Real time, for handlers that do real work. Otherwise only a test that is about to fail waits for it. */
const PATIENCE_MS = 2_000;

/** Remembers what happened until a test asks for it, and waits for what has not happened yet. */
export class Deliveries {
  private readonly clock: ManualClock;
  private readonly begun: Delivery[] = [];
  private readonly ended: Settled[] = [];
  private readonly scheduled: { topic: string; messageId: string }[] = [];
  private readonly waitingForBegin: Waiting<Delivery>[] = [];
  private readonly waitingForEnd: Waiting<Settled>[] = [];

  constructor(options: { clock: ManualClock; events: Events }) {
    this.clock = options.clock;
    const { events } = options;
    events.on('acked', (facts) => this.end({ ...facts, state: 'acked' }));
    events.on('duplicate', (facts) => this.end({ ...facts, state: 'duplicate' }));
    events.on('dead-lettered', (facts) => this.end({ ...facts, state: 'dead-lettered' }));
    events.on('published', ({ topic, messageId, state }) => {
      if (state === 'scheduled') this.scheduled.push({ topic, messageId });
    });
  }

  /** A handler is about to run. */
  note(delivery: Delivery): void {
    if (!hand(this.waitingForBegin, delivery)) this.begun.push(delivery);
  }

  next(group: string): Promise<Delivery> {
    const matches = (delivery: Delivery): boolean => delivery.group === group;
    const at = this.begun.findIndex(matches);
    if (at !== -1) return Promise.resolve(this.begun.splice(at, 1)[0]!);
    return this.wait(this.waitingForBegin, matches, `no delivery to group "${group}"`);
  }

  settled(messageId: string, group?: string): Promise<Settled> {
    const matches = (settled: Settled): boolean =>
      settled.messageId === messageId && (group === undefined || settled.group === group);
    const found = this.ended.find(matches);
    if (found) return Promise.resolve(found);
    const by = group === undefined ? '' : ` by group "${group}"`;
    return this.wait(this.waitingForEnd, matches, `message ${messageId} was not settled${by}`);
  }

  /** Ids of messages this process sent with a delay. */
  scheduledIds(topic: string): string[] {
    return this.scheduled.filter((sent) => sent.topic === topic).map(({ messageId }) => messageId);
  }

  private end(settled: Settled): void {
    this.ended.push(settled);
    hand(this.waitingForEnd, settled);
  }

  private wait<T>(list: Waiting<T>[], matches: Waiting<T>['matches'], what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting<T> = {
        matches,
        resolve: (found) => {
          clearTimeout(patience);
          resolve(found);
        },
      };
      const patience = setTimeout(() => {
        list.splice(list.indexOf(waiting), 1);
        const next = this.clock.armed === 0 ? 'nothing is due' : 'advance the clock';
        reject(
          new Error(`There was ${what} at ${new Date(this.clock.now()).toISOString()}; ${next}`),
        );
      }, PATIENCE_MS);
      list.push(waiting);
      void this.letPass(() => list.includes(waiting));
    });
  }

  private async letPass(stillWaiting: () => boolean): Promise<void> {
    await this.clock.settle();
    for (let ms = 0; ms < PASSES_BY_ITSELF_MS && stillWaiting(); ms++) await this.clock.advance(1);
  }
}

/** To the first that waits for it. */
function hand<T>(list: Waiting<T>[], found: T): boolean {
  const at = list.findIndex((waiting) => waiting.matches(found));
  if (at === -1) return false;
  list.splice(at, 1)[0]!.resolve(found);
  return true;
}
