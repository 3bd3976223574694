import { releaseWork } from '../core/upkeep.js';
import type { Codecs } from '../core/message/codecs.js';
import { firstIdAt, type MessageId } from '../core/message/message-id.js';
import { describeValue, integerProblem, unknownOptions } from '../core/message/options.js';
import type { TopicName } from '../core/message/topic.js';
import type { ScheduledEntry, SchedulePlace } from '../core/store/schedule-store.js';
import type { StoreTime } from '../core/store/store-time.js';
import type { Stores } from '../core/store/stores.js';
import { queuesOf, type QueueRef } from '../core/store/refs.js';
import type { TopicInfo } from '../core/store/topic-registry.js';
import { type EntryView, viewEntry } from './entry-view.js';
import {
  dateProblem,
  messageIdProblem,
  type Problem,
  refuse,
  timeRangeProblems,
  topicNameProblem,
} from './input.js';
import { firstPage, listed, type PageSize, pageSizeProblems, placeProblem } from './page.js';
import type { Topics } from './topics.js';

/** A message that is not visible yet. */
export interface ScheduledMessage {
  readonly messageId: MessageId;
  readonly topic: string;
  readonly queue: number;
  /** When it becomes visible, Unix ms by the store's clock. */
  readonly dueAt: number;
  readonly entry: EntryView;
}

export interface ScheduledPage {
  messages: ScheduledMessage[];
  /** Give it as `after` to get the next page; null when this is the last. */
  next: string | null;
}

export interface ScheduledPageOptions extends PageSize {
  /** `next` of the page before. */
  after?: string | undefined;
  /** Only what is due at this time or later, by the store's clock. Default: no limit. */
  from?: Date | undefined;
  /** Only what is due at this time or earlier. Default: no limit. */
  to?: Date | undefined;
}

type Listed = ScheduledEntry & QueueRef & { id: string };

/** One of the two: from now, or then. */
export type NewDueTime = { delayMs: number } | { deliverAt: Date };

type When = { at: number } | { delayMs: number };

const LONGEST_DELAY_MS = 100 * 365 * 86_400_000;
/** Queue, due time and message id of the last one. */
const PLACE = /^(\d{1,4}):(-?\d{1,16}):([0-9a-f-]{36})$/;

/** Questions and commands about messages that become visible later. */
export class Scheduled {
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

  async list(name: TopicName, options: ScheduledPageOptions): Promise<ScheduledPage> {
    refuse('listScheduled', [topicNameProblem(name), ...pageProblems(options)]);
    const info = await this.topics.existing(name, 'listScheduled');
    const { page, isLast } = await firstPage(this.listed(info, options), bytesOf, options);
    return {
      messages: page.map((one) => this.view(one)),
      next: isLast ? null : page.at(-1)!.id,
    };
  }

  async cancel(name: TopicName, messageId: MessageId): Promise<boolean> {
    refuse('cancelScheduled', [topicNameProblem(name), messageIdProblem(messageId)]);
    const info = await this.topics.existing(name, 'cancelScheduled');
    const cancelled = await Promise.all(
      queuesOf(info).map((ref) => this.stores.schedule.cancel(ref, messageId)),
    );
    return cancelled.includes(true);
  }

  async reschedule(name: TopicName, messageId: MessageId, due: NewDueTime): Promise<boolean> {
    refuse('reschedule', [
      topicNameProblem(name),
      messageIdProblem(messageId),
      ...dueProblems(due),
    ]);
    const info = await this.topics.existing(name, 'reschedule');
    const when: When =
      'deliverAt' in due ? { at: due.deliverAt.getTime() } : { delayMs: due.delayMs };
    const dueAt = 'at' in when ? when.at : this.storeTime.now() + when.delayMs;
    for (const ref of queuesOf(info)) {
      if (!(await this.stores.schedule.find(ref, messageId))) continue;
      // Before it is stored: an entry of the agenda must never be later than what is due.
      await this.stores.agenda.note(releaseWork(ref), dueAt);
      return this.stores.schedule.reschedule(ref, messageId, when);
    }
    return false;
  }

  /** Queue after queue, in each by when they are due. */
  private async *listed(
    info: TopicInfo,
    { after, from, to }: ScheduledPageOptions,
  ): AsyncGenerator<Listed> {
    const first = after === undefined ? 0 : placeOf(after).queue;
    for (const ref of queuesOf(info).slice(first)) {
      const scheduled = listed<Listed>({
        read: ({ after: last, count }) => this.part(ref, last, count),
        bytesOf,
        after: beginIn(ref, { after, from }),
      });
      for await (const one of scheduled) {
        if (to && one.dueAt > to.getTime()) break;
        yield one;
      }
    }
  }

  private async part(ref: QueueRef, last: string | undefined, count: number): Promise<Listed[]> {
    const after = last === undefined ? undefined : placeOf(last);
    const entries = await this.stores.schedule.list(ref, { ...(after && { after }), count });
    return entries.map((entry) => ({ ...ref, ...entry, id: idOf(ref, entry) }));
  }

  private view({ topic, queue, messageId, dueAt, frame }: Listed): ScheduledMessage {
    const content = { kind: 'message', frame, only: null } as const;
    const entry = viewEntry({ topic, queue, offset: '' }, content, this.codecs);
    return { messageId, topic, queue, dueAt, entry };
  }
}

function dueProblems(due: NewDueTime): Problem[] {
  const problems: Problem[] = unknownOptions(due, ['delayMs', 'deliverAt']);
  if (typeof due !== 'object' || due === null) return problems;
  const { delayMs, deliverAt } = due as { delayMs?: unknown; deliverAt?: unknown };
  if ((delayMs === undefined) === (deliverAt === undefined))
    return [...problems, 'give either delayMs or deliverAt'];
  if (deliverAt !== undefined)
    return [
      ...problems,
      dateProblem('deliverAt', deliverAt),
      deliverAt instanceof Date && deliverAt.getTime() > Date.UTC(9999, 0)
        ? `deliverAt must be before the year 9999, got: ${describeValue(deliverAt)}`
        : undefined,
    ];
  return [...problems, integerProblem('delayMs', delayMs, { min: 0, max: LONGEST_DELAY_MS })];
}

function bytesOf({ frame }: Listed): number {
  return frame.length;
}

function idOf({ queue }: QueueRef, at: SchedulePlace): string {
  return `${queue}:${at.dueAt}:${at.messageId}`;
}

/** Behind the page before, but not before `from`. */
function beginIn(
  ref: QueueRef,
  { after, from }: Pick<ScheduledPageOptions, 'after' | 'from'>,
): string | undefined {
  const last = after === undefined ? undefined : placeOf(after);
  const isHere = last?.queue === ref.queue;
  if (from === undefined || (isHere && last.dueAt >= from.getTime()))
    return isHere ? after : undefined;
  return idOf(ref, { dueAt: from.getTime(), messageId: firstIdAt(0) });
}

function placeOf(id: string): SchedulePlace & { queue: number } {
  const [, queue, dueAt, messageId] = PLACE.exec(id) as unknown as [string, string, string, string];
  return { queue: Number(queue), dueAt: Number(dueAt), messageId };
}

function pageProblems(options: ScheduledPageOptions): Problem[] {
  const problems: Problem[] = unknownOptions(options, ['after', 'limit', 'maxBytes', 'from', 'to']);
  if (typeof options !== 'object' || options === null) return problems;
  const { after, from, to } = options;
  return [
    ...problems,
    placeProblem(after, PLACE),
    ...timeRangeProblems(from, to),
    ...pageSizeProblems(options),
  ];
}
