import type { Codecs } from '../core/message/codecs.js';
import { describeValue, unknownOptions } from '../core/message/options.js';
import type { TopicName } from '../core/message/topic.js';
import type { HalfView, TransactionId } from '../core/store/half-message-store.js';
import { queuesOf, type QueueRef } from '../core/store/refs.js';
import type { StoreTime } from '../core/store/store-time.js';
import type { Stores } from '../core/store/stores.js';
import type { TopicInfo } from '../core/store/topic-registry.js';
import { boardOfKey, checkWork, SETS_KEY } from '../core/transaction/half-owner.js';
import { releaseWork } from '../core/upkeep.js';
import { type EntryView, viewEntry } from './entry-view.js';
import { StillCheckedError } from './errors.js';
import { type Problem, refuse, topicNameProblem, transactionIdProblem } from './input.js';
import { firstPage, listed, type PageSize, pageSizeProblems, placeProblem } from './page.js';
import type { Topics } from './topics.js';

/** The messages of one transaction in one queue, invisible until it is decided. */
export interface Half {
  readonly transactionId: TransactionId;
  readonly topic: string;
  readonly queue: number;
  /** Who can say what became of it: the participant or the transaction, by its name. */
  readonly name: string;
  /** Unix ms by the store's clock. */
  readonly preparedAt: number;
  /** How often somebody answered that nothing is known yet. */
  readonly checks: number;
  /**
   * When somebody is asked next, Unix ms by the store's clock, and later by as much as that was set back since the queue had
   * halves; null while it is parked.
   */
  readonly checkAt: number | null;
  /** Why nobody is asked any more, so that you must decide; null while somebody is. */
  readonly parked: string | null;
  readonly messages: readonly EntryView[];
}

export interface HalfPage {
  halves: Half[];
  /** Give it as `after` to get the next page; null when this is the last. */
  next: string | null;
}

export interface HalfPageOptions extends PageSize {
  /** `next` of the page before. */
  after?: string | undefined;
  /** Only these. Default: all. */
  state?: 'waiting' | 'parked' | undefined;
}

/** What became of a half. */
export interface DecidedHalf {
  readonly topic: string;
  readonly queue: number;
  /** `unknown`: it was decided too long ago to say how. */
  readonly state: 'committed' | 'rolled-back' | 'unknown';
}

const PLACE = /^(\d{1,4}):([0-9a-f-]{36})?$/;
/** As many topics are asked at once. */
const TOPICS_AT_ONCE = 20;

/** Questions and commands about transactions that are not decided. */
export class Halves {
  private readonly stores: Stores;
  private readonly topics: Topics;
  private readonly storeTime: StoreTime;
  private readonly codecs: Codecs;

  constructor(options: { stores: Stores; topics: Topics; storeTime: StoreTime; codecs: Codecs }) {
    this.stores = options.stores;
    this.topics = options.topics;
    this.storeTime = options.storeTime;
    this.codecs = options.codecs;
  }

  async list(name: TopicName, options: HalfPageOptions): Promise<HalfPage> {
    refuse('listHalves', [topicNameProblem(name), ...pageProblems(options)]);
    const info = await this.topics.existing(name, 'listHalves');
    const { page, isLast } = await firstPage(this.listed(info, options), bytesOfHalf, options);
    const last = page.at(-1);
    const next = isLast ? null : `${last!.queue}:${last!.id}`;
    return { halves: page.map((half) => this.view(half)), next };
  }

  /** Queue after queue, in each by their ids. */
  private async *listed(
    info: TopicInfo,
    { after = '0:', state }: HalfPageOptions,
  ): AsyncGenerator<HalfView> {
    const [, queueText, lastId] = PLACE.exec(after)!;
    const first = Number(queueText);
    for (const ref of queuesOf(info).slice(first)) {
      const halves = listed({
        read: (part) => this.stores.halves.list(ref, part),
        bytesOf: bytesOfHalf,
        after: ref.queue === first ? lastId : undefined,
      });
      for await (const half of halves)
        if (state === undefined || (state === 'parked') === (half.parked !== null)) yield half;
    }
  }

  async find(transactionId: TransactionId): Promise<Half[]> {
    return (await this.halvesOf('findTransaction', transactionId)).map((half) => this.view(half));
  }

  /** @returns how many halves somebody will be asked about. */
  async check(transactionId: TransactionId): Promise<number> {
    const halves = await this.halvesOf('checkTransaction', transactionId);
    const replies = await Promise.all(
      halves.map(async (half) => {
        const { owner } = half;
        const [reply] = await this.stores.halves.unpark(half, [transactionId]);
        // Also where it had been struck off the list meanwhile.
        await this.stores.halves
          .agenda(boardOfKey(owner))
          .note(checkWork(owner, half), this.storeTime.now());
        return reply!.state;
      }),
    );
    return replies.filter((state) => state === 'extended').length;
  }

  async decide(
    method: 'commitTransaction' | 'rollbackTransaction',
    transactionId: TransactionId,
    options: { force?: boolean },
  ): Promise<DecidedHalf[]> {
    refuse(method, unknownOptions(options, ['force']));
    const halves = await this.halvesOf(method, transactionId);
    const checked = halves.filter(({ parked }) => parked === null);
    // A part of a set by hand would be a set in parts; the queue that decides can always be asked.
    const isSet = checked.some(({ owner }) => owner === SETS_KEY);
    if (checked.length > 0 && (isSet || options.force !== true))
      throw new StillCheckedError(transactionId, {
        name: checked[0]!.name,
        places: checked.map(({ topic, queue }) => `topic "${topic}" queue ${queue}`),
      });
    return Promise.all(
      halves.map(async (half) => {
        const { topic, queue } = half;
        if (method === 'commitTransaction') await this.noteReleases(half);
        const [reply] = await (method === 'commitTransaction'
          ? this.stores.halves.commit(half, [transactionId])
          : this.stores.halves.rollback(half, [transactionId]));
        return { topic, queue, state: reply!.state };
      }),
    );
  }

  async waitingIn(queues: readonly QueueRef[]): Promise<{ waiting: number; parked: number }> {
    const counts = await Promise.all(queues.map((ref) => this.stores.halves.count(ref)));
    return {
      waiting: counts.reduce((sum, { waiting }) => sum + waiting, 0),
      parked: counts.reduce((sum, { parked }) => sum + parked, 0),
    };
  }

  /** Before they are scheduled: an entry of the agenda must never be later than what is due. */
  private async noteReleases({ dues, ...ref }: HalfView): Promise<void> {
    for (const due of dues)
      if (due) {
        const at = 'at' in due ? due.at : this.storeTime.now() + due.delayMs;
        await this.stores.agenda.note(releaseWork(ref), at);
      }
  }

  /** In every topic: all messages of a transaction share one end. */
  private async halvesOf(method: string, transactionId: TransactionId): Promise<HalfView[]> {
    refuse(method, [transactionIdProblem(transactionId)]);
    const found: HalfView[] = [];
    const names = await this.stores.topics.list();
    for (let at = 0; at < names.length; at += TOPICS_AT_ONCE) {
      const some = names
        .slice(at, at + TOPICS_AT_ONCE)
        .map((name) => this.stores.topics.find(name));
      const infos = (await Promise.all(some)).filter((info) => info !== undefined);
      const views = await Promise.all(
        infos.flatMap(queuesOf).map((ref) => this.stores.halves.find(ref, transactionId)),
      );
      found.push(...views.filter((view) => view !== undefined));
    }
    return found;
  }

  private view(half: HalfView): Half {
    const { id: transactionId, topic, queue, name, preparedAt, checks, checkAt, parked } = half;
    const messages = half.frames.map((frame) =>
      viewEntry({ topic, queue, offset: '' }, { kind: 'message', frame, only: null }, this.codecs),
    );
    return { transactionId, topic, queue, name, preparedAt, checks, checkAt, parked, messages };
  }
}

function bytesOfHalf({ frames }: HalfView): number {
  return frames.reduce((sum, { length }) => sum + length, 0);
}

function pageProblems(options: HalfPageOptions): Problem[] {
  const problems: Problem[] = unknownOptions(options, ['after', 'limit', 'maxBytes', 'state']);
  if (typeof options !== 'object' || options === null) return problems;
  const { after, state } = options;
  return [
    ...problems,
    placeProblem(after, PLACE),
    ...pageSizeProblems(options),
    state === undefined || state === 'waiting' || state === 'parked'
      ? undefined
      : `state must be "waiting" or "parked", got: ${describeValue(state)}`,
  ];
}
