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

/** What a look found in a queue. */
interface Found {
  /** Halves that were overdue, with the time they were due. */
  readonly overdue: Set<string>;
  /** Owners of halves: what has one cause is told once, until it is over. */
  readonly told: Set<string>;
}

/**
 * Tells of halves that fell due and that nobody asked about from one look to the next: no process that runs has their database or
 * their check method, as after a deployment without it. Nobody who could decide them looks at them, so whoever uses their topic
 * does. One look says nothing: when the store was away, all are overdue until they are asked about again.
 */
export class UnaskedHalves {
  private readonly options: UnaskedHalvesOptions;
  private readonly loop: Loop;
  /** By queue. */
  private found: ReadonlyMap<string, Found> = new Map();
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
    const found = new Map<string, Found>();
    await eachQueue(topicsInUse().flatMap(queuesOf), {
      visit: async (ref) => {
        if (!signal.aborted) found.set(nameOf(ref), await this.lookInto(ref));
      },
      onRefusal: (error, ref) => {
        const before = this.found.get(nameOf(ref));
        if (before) found.set(nameOf(ref), before);
        onError(error);
      },
    });
    this.found = found;
    return LOOK_EVERY_MS;
  }

  private async lookInto(ref: QueueRef): Promise<Found> {
    const before = this.found.get(nameOf(ref));
    const overdue = new Set<string>();
    const told = new Set<string>();
    for (const half of await this.overdueIn(ref)) {
      const { id, checkAt, owner } = half;
      const asIs = `${id} ${checkAt}`;
      overdue.add(asIs);
      if (before?.told.has(owner)) told.add(owner);
      if (told.has(owner) || !before?.overdue.has(asIs)) continue;
      this.tell(half);
      told.add(owner);
    }
    return { overdue, told };
  }

  private async overdueIn(ref: QueueRef): Promise<HalfView[]> {
    const { halves, storeTime } = this.options;
    const overdue: HalfView[] = [];
    if ((await halves.count(ref)).waiting === 0) return overdue;
    let after: string | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const listed = await halves.list(ref, { count: PAGE, ...(after !== undefined && { after }) });
      const dueBefore = storeTime.now() - OVERDUE_MS;
      overdue.push(...listed.filter(({ checkAt }) => checkAt !== null && checkAt < dueBefore));
      if (listed.length < PAGE) break;
      after = listed.at(-1)!.id;
      // In the order of time: those that follow were prepared too lately to be overdue.
      if (mintedAt(after) >= dueBefore) break;
    }
    return overdue;
  }

  private tell({ topic, queue, id, name, owner, messages }: HalfView): void {
    const { events, logger } = this.options;
    logger.error(
      `Transaction ${id} ("${name}") is not decided, and nobody asks what became of it: no process that runs has ${answererOf(owner)}. Its messages (${messages}) to topic "${topic}" queue ${queue} stay invisible until one has, or MessageAdmin commits them or rolls them back. The same goes for others like it.`,
    );
    events.emit('half-unasked', { topic, queue, transactionId: id, name, messages });
  }
}

function nameOf({ topic, queue }: QueueRef): string {
  return `${topic}/${queue}`;
}
