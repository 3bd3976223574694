import { QueueFaultedError } from '../core/message/errors.js';
import type { GroupQueue } from '../core/store/delivery-store.js';
import type { Placement, Resolved } from '../core/store/half-message-store.js';
import type { PausedGroup } from '../core/store/pause-store.js';
import type { RecurringEntry } from '../core/store/recurring-store.js';
import type { QueueRef } from '../core/store/refs.js';
import type { GroupInfo, OrderedBy, TopicInfo } from '../core/store/topic-registry.js';
import { MemoryGrowth } from './memory-growth.js';
import { MemoryDeadLetters, MemoryGroup } from './memory-group.js';
import type { MemoryHalf } from './memory-half.js';
import { MemoryLanes } from './memory-lanes.js';
import { MemoryQueue } from './memory-queue.js';
import { MemorySessions } from './memory-sessions.js';
import { MemorySteadyTime } from './memory-steady-time.js';

export interface MemoryScheduled {
  readonly messageId: string;
  readonly frame: Buffer;
  dueAt: number;
}

/** In whose hands every delivery of an ordered group is. */
export const ORDERED = '~ordered';

/** A dedup record. */
export interface RememberedMessage {
  readonly isDone: boolean;
  readonly owner: string;
  until: number;
  readonly result: Buffer | undefined;
}

/** Everything under one queue's hash tag in Redis. */
export class QueueState {
  readonly log: MemoryQueue;
  readonly sessions = new MemorySessions();
  readonly scheduled = new Map<string, MemoryScheduled>();
  readonly halves = new Map<string, MemoryHalf>();
  /** By which halves are due to be asked about. */
  readonly steady = new MemorySteadyTime();
  readonly dedup = new Map<string, { messageId: string; offset: string | null; until: number }>();
  readonly growth = new MemoryGrowth();
  readonly groups = new Map<string, MemoryGroup>();
  readonly lanes = new Map<string, MemoryLanes>();
  private readonly deadLetters = new Map<string, MemoryDeadLetters>();

  constructor(ref: QueueRef) {
    this.log = new MemoryQueue(ref);
  }

  deadLettersOf(group: string): MemoryDeadLetters {
    let letters = this.deadLetters.get(group);
    if (!letters) this.deadLetters.set(group, (letters = new MemoryDeadLetters()));
    return letters;
  }

  forgetGroup(group: string): void {
    this.groups.delete(group);
    this.lanes.delete(group);
    this.deadLetters.delete(group);
  }
}

/** Of one key of a subscription: who holds permits, and who waits for one. */
export interface PermitLines {
  holders: Map<string, { permits: number; until: number }>;
  waiters: Map<string, { since: number; until: number }>;
}

export interface GroupState {
  info: GroupInfo;
  /** What it keeps in order, if it is ordered. */
  order: { orderedBy: OrderedBy } | undefined;
  readonly starts: Map<number, string>;
  /** When it last had a member; undefined until that was noted. */
  seenAt?: number | undefined;
}

export interface TopicState {
  info: TopicInfo;
  readonly queues: QueueState[];
  /** `starts`: the offset behind which the group began in each queue. */
  readonly groups: Map<string, GroupState>;
}

/** Work by its name. */
export type AgendaState = Map<string, { at: number; version: string }>;

/** What several `MemoryStores` may share, as processes share one Redis. */
export class MemoryState {
  readonly topics = new Map<string, TopicState>();
  /** Of removed topics, too: a topic that is declared anew must not look like the old one. */
  readonly generations = new Map<string, number>();
  readonly agenda: AgendaState = new Map();
  /** Agendas of those who can answer for halves, by board. */
  readonly halfAgendas = new Map<string, AgendaState>();
  /** What became of transactions, by queue; and how messages that moved are placed. As in Redis, neither goes with its topic. */
  readonly ends = new Map<string, Resolved & { until: number }>();
  readonly placements = new Map<string, Placement & { until: number }>();
  /** Topics whose queues have become more. */
  readonly grown = new Map<string, number>();
  /** Topic that was deleted → generation of its last life. */
  readonly deleted = new Map<string, number>();
  readonly patterns = new Map<string, number>();
  readonly recurring = new Map<string, RecurringEntry>();
  readonly rates = new Map<string, { level: number; at: number }>();
  /** By topic, group and key. */
  readonly permits = new Map<string, PermitLines>();
  readonly paused = new Map<string, PausedGroup>();
  readonly members = new Map<string, number>();
  readonly handled = new Map<string, RememberedMessage>();
  readonly inboxes = new Map<string, { packets: Buffer[]; goneAt: number; maxBytes: number }>();
  private readonly rosters = new Map<string, Map<string, number>>();
  private readonly listeners = new Set<() => void>();
  private serial = 0;

  queue(ref: QueueRef): QueueState | undefined {
    return this.topics.get(ref.topic)?.queues[ref.queue];
  }

  group(ref: GroupQueue): MemoryGroup | undefined {
    return this.queue(ref)?.groups.get(ref.group);
  }

  /** A group that is there goes on behind this offset, or `latest`, and knows nothing else any more. @returns the offset. */
  restart(ref: GroupQueue, behind: string): string {
    const queue = this.queue(ref)!;
    const start = behind === 'latest' ? queue.log.lastOffset : behind;
    const restarted = new MemoryGroup({ name: ref.group, queue: queue.log, start });
    for (const consumer of queue.groups.get(ref.group)?.consumers ?? [])
      restarted.consumers.add(consumer);
    queue.groups.set(ref.group, restarted);
    this.topics.get(ref.topic)?.groups.get(ref.group)?.starts.set(ref.queue, start);
    return start;
  }

  /** Of an ordered group; made when it is first asked for. */
  lanes(ref: GroupQueue): MemoryLanes {
    const all = this.queue(ref)?.lanes;
    const lanes = all?.get(ref.group) ?? new MemoryLanes();
    all?.set(ref.group, lanes);
    return lanes;
  }

  /** Members of an ordered group by their last beat. */
  roster(topic: string, group: string): Map<string, number> {
    const key = JSON.stringify([topic, group]);
    const roster = this.rosters.get(key) ?? new Map<string, number>();
    this.rosters.set(key, roster);
    return roster;
  }

  /** @throws QueueFaultedError as Redis answers NOGROUP. */
  groupOrFault(ref: GroupQueue): MemoryGroup {
    const group = this.group(ref);
    if (group) return group;
    throw new QueueFaultedError(
      `Queue ${ref.queue} of topic "${ref.topic}" has no group "${ref.group}"; join the group again`,
      { topic: ref.topic, queue: ref.queue, fault: 'no-group' },
    );
  }

  halfAgenda(board: string): AgendaState {
    let agenda = this.halfAgendas.get(board);
    if (!agenda) this.halfAgendas.set(board, (agenda = new Map()));
    return agenda;
  }

  /** A number nobody was given before. */
  nextSerial(): number {
    return ++this.serial;
  }

  /** Something was stored or removed: whoever waits looks again. */
  changed(): void {
    for (const listener of [...this.listeners]) listener();
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
