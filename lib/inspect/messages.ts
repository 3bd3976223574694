import type { Codecs } from '../core/message/codecs.js';
import { type MessageId, mintedAt, parseMessageId } from '../core/message/message-id.js';
import { describeValue, integerProblem, unknownOptions } from '../core/message/options.js';
import type { TopicName } from '../core/message/topic.js';
import { hasMessageId } from '../core/message/wire-format.js';
import {
  queuesOf,
  type EntryContent,
  type QueueRef,
  type StoredEntry,
} from '../core/store/refs.js';
import type { Stores } from '../core/store/stores.js';
import type { TopicInfo } from '../core/store/topic-registry.js';
import type { DeadLetter, DeadLetters } from './dead-letters.js';
import { bytesOfView, type EntryView, type MessageEntry, viewEntry } from './entry-view.js';
import {
  messageIdProblem,
  type Problem,
  refuse,
  timeRangeProblems,
  topicNameProblem,
} from './input.js';
import { EVERYTHING, scan, type ScanRange } from './log-scan.js';
import type { Topics } from './topics.js';

/** Where a message is; it can be in several places at once. */
export type MessagePlace =
  /** In its queue, or again in it after a redrive (`entry.only` names the group then). */
  | { state: 'visible'; queue: number; offset: string; entry: EntryView }
  /** Becomes visible at `dueAt` (Unix ms by the store's clock). */
  | { state: 'scheduled'; queue: number; dueAt: number; entry: EntryView }
  | { state: 'dead-letter'; queue: number; group: string; letter: DeadLetter };

export interface SearchOptions {
  /** Visible since then, by the store's clock. Default: the oldest that is kept. */
  from?: Date | undefined;
  /** Visible until then, inclusive. Default: the newest. */
  to?: Date | undefined;
  /** Most results. Default 1 000. */
  limit?: number | undefined;
}

/** A found entry with its place. */
export type FoundEntry = { queue: number; offset: string; entry: EntryView };
export type FoundMessage = FoundEntry & { entry: MessageEntry };

/** How many are found at a time, or how many bytes of them; one always. */
const PAGE = { entries: 100, bytes: 8 * 1024 * 1024 };
const DEFAULT_LIMIT = 1_000;
/** By how much a sender's clock and the store's may differ before a look-up by id has to read the whole topic. */
const CLOCKS_DIFFER_MS = 600_000;

/** Questions about messages. */
export class Messages {
  private readonly stores: Stores;
  private readonly topics: Topics;
  private readonly deadLetters: DeadLetters;
  private readonly codecs: Codecs;

  constructor(options: {
    stores: Stores;
    topics: Topics;
    deadLetters: DeadLetters;
    codecs: Codecs;
  }) {
    this.stores = options.stores;
    this.topics = options.topics;
    this.deadLetters = options.deadLetters;
    this.codecs = options.codecs;
  }

  async findById(name: TopicName, messageId: MessageId): Promise<MessagePlace[]> {
    refuse('findById', [topicNameProblem(name), messageIdProblem(messageId)]);
    const info = await this.topics.existing(name, 'findById');
    return [
      ...(await this.scheduledPlaces(info, messageId)),
      ...(await this.visiblePlaces(info, messageId)),
      ...(await this.deadLetterPlaces(info, messageId)),
    ];
  }

  findByKey(name: TopicName, key: string, options: SearchOptions): AsyncGenerator<FoundMessage[]> {
    refuse('findByKey', [
      topicNameProblem(name),
      typeof key === 'string' && key !== ''
        ? undefined
        : `key must be text, got: ${describeValue(key)}`,
      ...searchProblems(options),
    ]);
    return pages(withKey(key, this.search(name, 'findByKey', options)), options.limit);
  }

  findByTime(name: TopicName, options: SearchOptions): AsyncGenerator<FoundEntry[]> {
    refuse('findByTime', [topicNameProblem(name), ...searchProblems(options)]);
    return pages(this.search(name, 'findByTime', options), options.limit);
  }

  private async *search(
    name: TopicName,
    method: string,
    { from, to }: SearchOptions,
  ): AsyncGenerator<FoundEntry> {
    const info = await this.topics.existing(name, method);
    const range: ScanRange = {
      fromMs: from?.getTime() ?? EVERYTHING.fromMs,
      toMs: to?.getTime() ?? EVERYTHING.toMs,
    };
    for await (const found of scan(this.stores.log, queuesOf(info), range)) yield this.found(found);
  }

  private async scheduledPlaces(info: TopicInfo, messageId: MessageId): Promise<MessagePlace[]> {
    const places = await Promise.all(
      queuesOf(info).map(async (ref): Promise<MessagePlace[]> => {
        const found = await this.stores.schedule.find(ref, messageId);
        if (!found) return [];
        const content = { kind: 'message', frame: found.frame, only: null } as const;
        const entry = viewEntry({ ...ref, offset: '' }, content, this.codecs);
        return [{ state: 'scheduled', queue: ref.queue, dueAt: found.dueAt, entry }];
      }),
    );
    return places.flat();
  }

  /** Most messages are found where their id says that they were sent; others (delayed, redriven) further on. */
  private async visiblePlaces(info: TopicInfo, messageId: MessageId): Promise<MessagePlace[]> {
    const likelyMs = Math.max(0, mintedAt(messageId) - CLOCKS_DIFFER_MS);
    const behind = await this.visibleIn(info, messageId, { ...EVERYTHING, fromMs: likelyMs });
    if (behind.length > 0 || likelyMs === 0) return behind;
    return this.visibleIn(info, messageId, { ...EVERYTHING, toMs: likelyMs - 1 });
  }

  private async visibleIn(
    info: TopicInfo,
    messageId: MessageId,
    range: ScanRange,
  ): Promise<MessagePlace[]> {
    const places: MessagePlace[] = [];
    const wanted = parseMessageId(messageId);
    for await (const stored of scan(this.stores.log, queuesOf(info), range))
      if (hasId(stored.content, wanted)) places.push({ state: 'visible', ...this.found(stored) });
    return places;
  }

  private async deadLetterPlaces(info: TopicInfo, messageId: MessageId): Promise<MessagePlace[]> {
    const wanted = parseMessageId(messageId);
    const places: MessagePlace[] = [];
    for (const { group } of await this.stores.topics.groups(info.topic))
      for await (const stored of this.deadLetters.all(info, group)) {
        if (!hasId(stored.content, wanted)) continue;
        const letter = this.deadLetters.view(stored);
        places.push({ state: 'dead-letter', queue: stored.queue, group, letter });
      }
    return places;
  }

  private found(stored: StoredEntry & QueueRef): FoundEntry {
    const { queue, offset, content } = stored;
    return { queue, offset, entry: viewEntry(stored, content, this.codecs) };
  }
}

/** Compares the bytes, so that nothing is decoded that is not wanted. */
function hasId(content: EntryContent, id: Buffer): boolean {
  return content.kind === 'message' && hasMessageId(content.frame, id);
}

async function* withKey(key: string, all: AsyncIterable<FoundEntry>): AsyncGenerator<FoundMessage> {
  for await (const { entry, ...place } of all)
    if (entry.kind === 'message' && entry.message.key === key) yield { ...place, entry };
}

async function* pages<T extends FoundEntry>(
  all: AsyncIterable<T>,
  limit = DEFAULT_LIMIT,
): AsyncGenerator<T[]> {
  let page: T[] = [];
  let bytes = 0;
  let left = limit;
  for await (const found of all) {
    page.push(found);
    bytes += bytesOfView(found.entry);
    left -= 1;
    if (left === 0) break;
    if (page.length < PAGE.entries && bytes < PAGE.bytes) continue;
    yield page;
    page = [];
    bytes = 0;
  }
  if (page.length > 0) yield page;
}

function searchProblems(options: SearchOptions): Problem[] {
  const problems: Problem[] = unknownOptions(options, ['from', 'to', 'limit']);
  if (typeof options !== 'object' || options === null) return problems;
  const { from, to, limit } = options;
  return [
    ...problems,
    ...timeRangeProblems(from, to),
    limit === undefined ? undefined : integerProblem('limit', limit, { min: 1 }),
  ];
}
