import type { DeadLetterNote } from '../core/consumer/history.js';
import { groupOfLane } from '../core/consumer/ordered/lane-name.js';
import type { Codecs } from '../core/message/codecs.js';
import { describeValue, integerProblem, isOptions, notOptions } from '../core/message/options.js';
import type { TopicName } from '../core/message/topic.js';
import type { Clock } from '../core/runtime/clock.js';
import type { ResumeAction } from '../core/store/queue-lease-store.js';
import type { Stores } from '../core/store/stores.js';
import { type EntryView, viewEntry } from './entry-view.js';
import type { Groups } from './groups.js';
import { type Problem, refuse } from './input.js';

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

  async list(name: TopicName, group: string): Promise<ParkedLane[]> {
    const info = await this.groups.existing(name, group, 'listParkedLanes');
    const { leases } = this.stores;
    const found = this.groups.refs(info, group).map(async (ref) => {
      const parked = (await leases.heldLanes(ref)).filter(({ state }) => state === 'parked');
      return Promise.all(
        parked.map(async ({ lane, count, since, note }): Promise<ParkedLane> => {
          const [first] = await leases.heldEntries(ref, lane, { from: 0, count: 1 });
          return {
            ...{ queue: ref.queue, lane, messageGroup: groupOfLane(lane) ?? null },
            ...{ messages: count, parkedAt: since, note: readNote(note) },
            head: first ? viewEntry(first, first.content, this.codecs) : { kind: 'gone' },
          };
        }),
      );
    });
    return (await Promise.all(found)).flat().sort((a, b) => a.parkedAt - b.parkedAt);
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
      typeof lane === 'string' ? undefined : `lane must be text, got: ${describeValue(lane)}`,
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
