import { bytesOf } from '../core/consumer/byte-budget.js';
import type { DeadLetterNote, HistoryItem } from '../core/consumer/history.js';
import { yesOrNo } from '../core/filter/yes-or-no.js';
import type { Codecs } from '../core/message/codecs.js';
import { textProblem } from '../core/message/names.js';
import { describeValue, unknownOptions } from '../core/message/options.js';
import type { TopicName } from '../core/message/topic.js';
import type { DeadLetterEntry } from '../core/store/dead-letter-store.js';
import type { GroupQueue } from '../core/store/delivery-store.js';
import type { Stores } from '../core/store/stores.js';
import type { TopicInfo } from '../core/store/topic-registry.js';
import { type EntryView, viewEntry } from './entry-view.js';
import type { Groups } from './groups.js';
import { functionProblem, groupProblem, refuse, topicNameProblem } from './input.js';
import { firstPage, listed, type PageSize, pageSizeProblems } from './page.js';

/** What a group gave up on. */
export interface DeadLetter {
  /** Its address among the dead letters of the topic and group, e.g. `2:1767225600000-0`. */
  readonly id: string;
  readonly topic: string;
  readonly group: string;
  readonly queue: number;
  /** Where the message stood when it was given up. */
  readonly offset: string;
  readonly reason: string;
  /** The last error; undefined when no handler saw it. */
  readonly error: string | undefined;
  readonly attempts: number;
  /** When it was given up, Unix ms by the consumer's clock; null when nobody noted it. */
  readonly at: number | null;
  readonly consumer: string;
  /** The failed attempts, oldest first; the last 16 are kept. */
  readonly history: readonly HistoryItem[];
  readonly entry: EntryView;
}

export interface DeadLetterPage {
  letters: DeadLetter[];
  /** Give it as `after` to get the next page; null when this is the last. */
  next: string | null;
}

export interface PageOptions extends PageSize {
  /** `next` of the page before. */
  after?: string | undefined;
}

export type DeadLetterFilter = (letter: DeadLetter) => boolean;

const ID = /^(\d{1,4}):(\d{1,20}-\d{1,20})$/;

export interface ForceOptions {
  /** Handle it even if an idempotent handler has done what its dedup key stands for. Default false. */
  force?: boolean | undefined;
  /** That key, when `idempotent.key` makes it. Default: the `dedupId` of the message, else its id. */
  dedupKey?: string | undefined;
}

/** Questions and commands about dead letters. */
export class DeadLetters {
  private readonly stores: Stores;
  private readonly groups: Groups;
  private readonly codecs: Codecs;

  constructor(options: { stores: Stores; groups: Groups; codecs: Codecs }) {
    this.stores = options.stores;
    this.groups = options.groups;
    this.codecs = options.codecs;
  }

  async list(name: TopicName, group: string, options: PageOptions): Promise<DeadLetterPage> {
    refuse('listDeadLetters', [
      topicNameProblem(name),
      groupProblem(group),
      ...unknownOptions(options, ['after', 'limit', 'maxBytes']),
      options?.after === undefined ? undefined : idProblem('after', options.after),
      ...pageSizeProblems(options ?? {}),
    ]);
    const info = await this.groups.existing(name, group, 'listDeadLetters');
    const stored = this.all(info, group, options.after);
    const { page, isLast } = await firstPage(stored, bytesOf, options);
    const letters = page.map((letter) => this.view(letter));
    return { letters, next: isLast ? null : letters.at(-1)!.id };
  }

  async get(name: TopicName, group: string, id: string): Promise<DeadLetter | undefined> {
    const place = await this.place(name, group, { id, method: 'getDeadLetter' });
    const found = place && (await this.stores.deadLetters.get(place.ref, place.id));
    return found && this.view(found);
  }

  async redrive(
    name: TopicName,
    group: string,
    { id, ...options }: { id: string } & ForceOptions,
  ): Promise<string | undefined> {
    refuse('redriveDeadLetter', [
      ...unknownOptions(options, ['force', 'dedupKey']),
      options.dedupKey === undefined ? undefined : textProblem('dedupKey', options.dedupKey),
    ]);
    const place = await this.place(name, group, { id, method: 'redriveDeadLetter' });
    if (!place) return undefined;
    if (options.force === true) {
      const found = await this.stores.deadLetters.get(place.ref, place.id);
      if (found) await this.forgetWork(this.view(found), options.dedupKey);
    }
    return this.stores.deadLetters.redrive(place.ref, place.id);
  }

  async remove(name: TopicName, group: string, id: string): Promise<boolean> {
    const place = await this.place(name, group, { id, method: 'deleteDeadLetter' });
    return place !== undefined && (await this.stores.deadLetters.remove(place.ref, [place.id])) > 0;
  }

  async removeAll(name: TopicName, group: string, filter: DeadLetterFilter): Promise<number> {
    refuse('deleteDeadLetters', [
      topicNameProblem(name),
      groupProblem(group),
      filter === undefined
        ? 'filter is needed; to delete all of them give () => true'
        : functionProblem('filter', filter),
    ]);
    const info = await this.groups.existing(name, group, 'deleteDeadLetters');
    let removed = 0;
    for await (const { letter, ref, id } of this.present(info, group))
      if (isWanted(letter, filter)) removed += await this.stores.deadLetters.remove(ref, [id]);
    return removed;
  }

  /** Those that are there now, not those that come while they are worked on. */
  async *present(
    info: TopicInfo,
    group: string,
  ): AsyncGenerator<{ letter: DeadLetter; ref: GroupQueue; id: string }> {
    const refs = this.groups.refs(info, group);
    const counts = await Promise.all(refs.map((ref) => this.stores.deadLetters.count(ref)));
    for (const [i, ref] of refs.entries()) {
      let left = counts[i]!;
      for await (const stored of this.ofQueue(ref)) {
        if (left-- <= 0) break;
        yield { letter: this.view(stored), ref, id: stored.id };
      }
    }
  }

  /** As they are stored, oldest first in each queue, one queue after the other. */
  async *all(info: TopicInfo, group: string, after?: string): AsyncGenerator<DeadLetterEntry> {
    const [, queueText, lastId] = after === undefined ? [] : ID.exec(after)!;
    const first = queueText === undefined ? 0 : Number(queueText);
    for (const ref of this.groups.refs(info, group).slice(first))
      yield* this.ofQueue(ref, ref.queue === first ? lastId : undefined);
  }

  view(stored: DeadLetterEntry): DeadLetter {
    const { topic, queue, group, offset, content } = stored;
    const entry = viewEntry({ topic, queue, offset }, content, this.codecs);
    return {
      id: `${queue}:${stored.id}`,
      topic,
      group,
      queue,
      offset,
      ...readNote(stored.note),
      entry,
    };
  }

  private ofQueue(ref: GroupQueue, after?: string): AsyncGenerator<DeadLetterEntry> {
    return listed<DeadLetterEntry>({
      read: (part) => this.stores.deadLetters.list(ref, part),
      bytesOf,
      after,
    });
  }

  /** What an idempotent handler remembers of this message, or of others with its dedup key. */
  async forgetWork(
    { topic, group, entry }: DeadLetter,
    dedupKey: string | undefined,
  ): Promise<void> {
    const own = entry.kind === 'message' ? entry.message : undefined;
    const key = dedupKey ?? own?.dedupId ?? own?.messageId;
    if (key !== undefined) await this.stores.dedup.forget({ topic, group, key });
  }

  /** Undefined when the topic has no such queue: nothing can be there. */
  private async place(
    name: TopicName,
    group: string,
    { id, method }: { id: string; method: string },
  ): Promise<{ ref: GroupQueue; id: string } | undefined> {
    refuse(method, [topicNameProblem(name), groupProblem(group), idProblem('id', id)]);
    const info = await this.groups.existing(name, group, method);
    const [, queue, entryId] = ID.exec(id) as unknown as [string, string, string];
    const ref = this.groups.refs(info, group)[Number(queue)];
    return ref && { ref, id: entryId };
  }
}

/** @throws InvalidInputError for an answer that is a promise. */
export function isWanted(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  return yesOrNo(filter(letter), 'filter of dead letters');
}

function idProblem(name: string, id: unknown): string | undefined {
  if (typeof id === 'string' && ID.test(id)) return undefined;
  return `${name} must be the id of a dead letter (as listDeadLetters gives it), got: ${describeValue(id)}`;
}

/** A note that somebody else wrote, or that is damaged, must not hide the message. */
function readNote(text: string): DeadLetterNote & { at: number | null } {
  let note: Partial<DeadLetterNote> = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) note = parsed;
  } catch {
    // Without a note the message still says enough.
  }
  const { reason = 'unknown', error, attempts = 0, at, consumer = 'unknown', history } = note;
  return {
    reason,
    error,
    attempts,
    at: at ?? null,
    consumer,
    history: Array.isArray(history) ? history : [],
  } as DeadLetterNote & { at: number | null };
}
