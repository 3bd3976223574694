import { bytesOf } from '../core/consumer/byte-budget.js';
import type { DeadLetterNote } from '../core/consumer/history.js';
import { groupOfLane, isLaneName } from '../core/consumer/ordered/lane-name.js';
import type { Codecs } from '../core/message/codecs.js';
import {
  describeValue,
  integerProblem,
  isOptions,
  notOptions,
  unknownOptions,
} from '../core/message/options.js';
import type { TopicName } from '../core/message/topic.js';
import type { Clock } from '../core/runtime/clock.js';
import type { GroupQueue } from '../core/store/delivery-store.js';
import type { HeldLane, ResumeAction } from '../core/store/queue-lease-store.js';
import type { StoredEntry } from '../core/store/refs.js';
import type { Stores } from '../core/store/stores.js';
import { type EntryView, viewEntry } from './entry-view.js';
import type { Groups } from './groups.js';
import { type Problem, refuse } from './input.js';
import { firstPage, listed, type PageSize, pageSizeProblems } from './page.js';

/** A lane of an ordered group that waits for the operator. */
export interface ParkedLane {
  queue: number;
  /** Its name; give it back to `resumeLane`. */
  lane: string;
  /** Null for a message without one, or when the whole queue is the lane. */
  messageGroup: string | null;
  /** How many messages wait, the first included. */
  messages: number;
  /** Unix ms by the store's clock. */
  parkedAt: number;
  /** Why, with the attempts of the first message. Undefined when the note cannot be read. */
  note: DeadLetterNote | undefined;
  /** The first message. */
  head: EntryView;
}

export interface ParkedLanesOptions {
  /** Most lanes, 1 to 1 000. Default 1 000. */
  limit?: number | undefined;
  /** Most bytes of their first messages: large ones make it fewer lanes, at least one. Default 16 MiB. */
  maxBytes?: number | undefined;
  /** The last lane of the list before: what follows it. */
  after?: Place | undefined;
}

type Place = Pick<ParkedLane, 'parkedAt' | 'queue' | 'lane'>;

interface Listed {
  readonly id: string;
  readonly at: HeldLane & { ref: GroupQueue };
  readonly first: StoredEntry | undefined;
}

const DEFAULT_LIMIT = 1_000;
const ACTIONS: readonly ResumeAction[] = ['retry', 'dead-letter', 'skip'];

/** Questions and commands about lanes that stopped. */
export class ParkedLanes {
  private readonly stores: Stores;
  private readonly groups: Groups;
  private readonly codecs: Codecs;
  private readonly clock: Clock;

  constructor(options: { stores: Stores; groups: Groups; codecs: Codecs; clock: Clock }) {
    this.stores = options.stores;
    this.groups = options.groups;
    this.codecs = options.codecs;
    this.clock = options.clock;
  }

  async list(name: TopicName, group: string, options: ParkedLanesOptions): Promise<ParkedLane[]> {
    refuse('listParkedLanes', optionProblems(options));
    const info = await this.groups.existing(name, group, 'listParkedLanes');
    const { limit = DEFAULT_LIMIT, maxBytes, after } = options;
    const parked = (
      await Promise.all(this.groups.refs(info, group).map((ref) => this.parkedIn(ref)))
    )
      .flat()
      .filter((each) => after === undefined || compare(placeOf(each), after) > 0)
      .sort((a, b) => compare(placeOf(a), placeOf(b)));
    const size: PageSize = { limit, ...(maxBytes !== undefined && { maxBytes }) };
    const bytes = ({ first }: Listed): number => (first ? bytesOf(first) : 0);
    const items = listed<Listed>({
      after: undefined,
      bytesOf: bytes,
      read: (part) => this.withHeads(parked, part),
    });
    const { page } = await firstPage(items, bytes, size);
    return page.map((each) => this.view(each));
  }

  private async parkedIn(ref: GroupQueue): Promise<(HeldLane & { ref: GroupQueue })[]> {
    const held = await this.stores.leases.heldLanes(ref);
    return held.filter(({ state }) => state === 'parked').map((lane) => ({ ...lane, ref }));
  }

  private withHeads(
    parked: readonly Listed['at'][],
    { after, count }: { after?: string; count: number },
  ): Promise<Listed[]> {
    const from = after === undefined ? 0 : Number(after) + 1;
    return Promise.all(
      parked.slice(from, from + count).map(async (at, i) => {
        const page = { from: 0, count: 1 };
        const [first] = await this.stores.leases.heldEntries(at.ref, at.lane, page);
        return { id: String(from + i), at, first };
      }),
    );
  }

  private view({ at, first }: Listed): ParkedLane {
    return {
      ...placeOf(at),
      messageGroup: groupOfLane(at.lane) ?? null,
      messages: at.count,
      note: readNote(at.note),
      head: first ? viewEntry(first, first.content, this.codecs) : { kind: 'gone' },
    };
  }

  async resume(
    name: TopicName,
    group: string,
    where: { queue: number; lane: string },
    action: ResumeAction,
  ): Promise<boolean> {
    const info = await this.groups.existing(name, group, 'resumeLane');
    if (!isOptions(where)) refuse('resumeLane', [notOptions('the lane', where)]);
    const { queue, lane } = where;
    refuse('resumeLane', [
      integerProblem('queue', queue, { min: 0, max: info.queues - 1 }),
      laneProblem(lane),
      actionProblem(action),
    ]);
    const at = this.clock.now();
    const note: DeadLetterNote = {
      ...{ reason: 'an operator gave it up', error: undefined, attempts: 0, at },
      ...{ consumer: 'operator', history: [] },
    };
    const ref = { topic: info.topic, queue, group };
    return this.stores.leases.resume(ref, lane, { action, note: JSON.stringify(note) });
  }
}

function optionProblems(options: unknown): Problem[] {
  if (!isOptions(options)) return [notOptions('the options', options)];
  const { after } = options as ParkedLanesOptions;
  return [
    ...unknownOptions(options, ['limit', 'maxBytes', 'after']),
    ...pageSizeProblems(options),
    after === undefined || isPlace(after)
      ? undefined
      : `after must be a lane that was listed, got: ${describeValue(after)}`,
  ];
}

function isPlace(given: unknown): given is Place {
  if (!isOptions(given)) return false;
  const { parkedAt, queue, lane } = given as Partial<Place>;
  return Number.isFinite(parkedAt) && Number.isInteger(queue) && laneProblem(lane) === undefined;
}

/** A message group in place of its lane would be answered "not parked". */
function laneProblem(lane: unknown): Problem {
  if (typeof lane === 'string' && isLaneName(lane)) return undefined;
  return `lane must be as it was listed (that of message group "a" is "=a"), got: ${describeValue(lane)}`;
}

function placeOf({ ref, lane, since }: Listed['at']): Place {
  return { queue: ref.queue, lane, parkedAt: since };
}

/** Longest parked first; no two are alike. */
function compare(a: Place, b: Place): number {
  return (
    a.parkedAt - b.parkedAt || a.queue - b.queue || (a.lane < b.lane ? -1 : +(a.lane > b.lane))
  );
}

function actionProblem(action: unknown): Problem {
  if (ACTIONS.includes(action as ResumeAction)) return undefined;
  return `action must be "retry", "dead-letter" or "skip", got: ${describeValue(action)}`;
}

function readNote(text: string): DeadLetterNote | undefined {
  try {
    return JSON.parse(text) as DeadLetterNote;
  } catch {
    // Somebody else's text: it explains nothing, and it must not hide the lane.
    return undefined;
  }
}
