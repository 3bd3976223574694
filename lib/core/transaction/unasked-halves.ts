import { eachQueue } from '../consumer/each-queue.js';
import { mintedAt } from '../message/message-id.js';
import type { Clock } from '../runtime/clock.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import { Loop } from '../runtime/loop.js';
import type { HalfMessageStore, HalfView } from '../store/half-message-store.js';
import { queuesOf, type QueueRef } from '../store/refs.js';
import type { StoreTime } from '../store/store-time.js';
import type { TopicInfo } from '../store/topic-registry.js';
import { answererOf } from './half-owner.js';

export interface UnaskedHalvesOptions {
  halves: Pick<HalfMessageStore, 'count' | 'list'>;
  /** Topics this process uses. */
  topicsInUse(): readonly TopicInfo[];
  clock: Clock;
  storeTime: StoreTime;
  events: Events;
  logger: Logger;
  onError(error: unknown): void;
}

const FIRST_LOOK_MS = 60_000;
const LOOK_EVERY_MS = 300_000;
/** Whoever can answer asks as soon as it is due, and again within a minute where the answer was no verdict. */
const OVERDUE_MS = 300_000;
/** They come with their messages. */
const PAGE = 16;
const MOST_PAGES = 8;

/**
 * Tells of halves that fell due and that nobody asked about: no process that runs has their database or their check method, as
 * after a deployment without it. Nobody who could decide them looks at them, so whoever uses their topic does.
 */
export class UnaskedHalves {
  private readonly options: UnaskedHalvesOptions;
  private readonly loop: Loop;
  /** By queue and owner: what has one cause is told once, until it is over. */
  private told = new Set<string>();
  private isFirst = true;

  constructor(options: UnaskedHalvesOptions) {
    this.options = options;
    this.loop = new Loop({
      name: 'unasked halves',
      clock: options.clock,
      step: (signal) => this.look(signal),
      onError: options.onError,
      backOffMs: { from: FIRST_LOOK_MS, to: LOOK_EVERY_MS },
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async look(signal: AbortSignal): Promise<number> {
    // Those who can answer begin now, too.
    if (this.isFirst) {
      this.isFirst = false;
      return FIRST_LOOK_MS;
    }
    const { topicsInUse, onError } = this.options;
    const told = new Set<string>();
    await eachQueue(topicsInUse().flatMap(queuesOf), {
      visit: async (ref) => {
        if (signal.aborted) return;
        for (const half of await this.unaskedIn(ref)) {
          const cause = `${ref.topic}/${ref.queue} ${half.owner}`;
          if (!this.told.has(cause) && !told.has(cause)) this.tell(half);
          told.add(cause);
        }
      },
      onRefusal: onError,
    });
    this.told = told;
    return LOOK_EVERY_MS;
  }

  private async unaskedIn(ref: QueueRef): Promise<HalfView[]> {
    const { halves, storeTime } = this.options;
    const unasked: HalfView[] = [];
    if ((await halves.count(ref)).waiting === 0) return unasked;
    let after: string | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const listed = await halves.list(ref, { count: PAGE, ...(after !== undefined && { after }) });
      const dueBefore = storeTime.now() - OVERDUE_MS;
      unasked.push(...listed.filter(({ checkAt }) => checkAt !== null && checkAt < dueBefore));
      if (listed.length < PAGE) break;
      after = listed.at(-1)!.id;
      // In the order of time: those that follow were prepared too lately to be overdue.
      if (mintedAt(after) >= dueBefore) break;
    }
    return unasked;
  }

  private tell({ topic, queue, id, name, owner, messages }: HalfView): void {
    const { events, logger } = this.options;
    logger.error(
      `Transaction ${id} ("${name}") is not decided, and nobody asks what became of it: no process that runs has ${answererOf(owner)}. Its messages (${messages}) to topic "${topic}" queue ${queue} stay invisible until one has, or MessageAdmin commits them or rolls them back. The same goes for others like it.`,
    );
    events.emit('half-unasked', { topic, queue, transactionId: id, name, messages });
  }
}
