import type { WhenFull } from '../message/topic.js';
import type { QueueRef, StartFrom } from './refs.js';

export type { WhenFull };

/** What a topic is set to. */
export interface TopicSettings {
  /** Number of queues. It only grows, to a multiple of what it was. Default 4. */
  queues: number;
  /**
   * Settled messages are kept at least this long, unless `maxLength` needs their room. Default 24 h. Unsettled ones stay
   * however old they are.
   */
  retentionMs: number;
  /** Most messages (visible and scheduled) per queue, null for no limit. Default null. */
  maxLength: number | null;
  /** What a send does when `maxLength` is reached. Default `reject`. */
  whenFull: WhenFull;
  /** How long a `dedupId` is remembered. Default 10 min. */
  dedupWindowMs: number;
}

export interface TopicInfo extends TopicSettings {
  topic: string;
  /** Grows when the queues change, and when a topic is made anew: a producer that routed by an older generation is told `moved`. */
  generation: number;
}

export const DEFAULT_TOPIC_SETTINGS: TopicSettings = {
  queues: 4,
  retentionMs: 24 * 3_600_000,
  maxLength: null,
  whenFull: 'reject',
  dedupWindowMs: 600_000,
};

/** Which settings are others than those that are asked for, in words. */
export function differences(info: TopicSettings, asked: Partial<TopicSettings>): string[] {
  return (Object.keys(DEFAULT_TOPIC_SETTINGS) as (keyof TopicSettings)[])
    .filter((name) => asked[name] !== undefined && asked[name] !== info[name])
    .map((name) => `${name} is ${info[name]}, asked for ${asked[name]}`);
}

export type ConsumeMode = 'unordered' | 'ordered' | 'broadcasting';

/** What every member of a consumer group must agree on. */
export interface GroupInfo {
  group: string;
  mode: ConsumeMode;
  /** Digest of the filter, empty for none. */
  filterDigest: string;
}

/** Topics and consumer groups by name, so that nothing ever scans for keys. */
export interface TopicRegistry {
  /**
   * The topic, created with these settings if it is not there. Safe to repeat; it also completes a creation that
   * was cut off. An existing topic keeps its settings.
   */
  declare(topic: string, settings?: Partial<TopicSettings>): Promise<TopicInfo>;

  find(topic: string): Promise<TopicInfo | undefined>;

  /** As `find`, with all its queues: those that are missing, since a creation was cut off or a failover forgot them, are opened. */
  complete(topic: string): Promise<TopicInfo | undefined>;

  /** Names of all topics, sorted. */
  list(): Promise<string[]>;

  /** How many topics there are: a cheap hint that the names have changed. */
  count(): Promise<number>;

  /**
   * Note that a group takes whatever topics fit a pattern. Safe to repeat.
   *
   * @returns when it was first noted, Unix ms by the store's clock: a topic that was made since is new to the group.
   */
  notePattern(pattern: string, group: string): Promise<number>;

  /**
   * Change settings. Undefined when there is no such topic. More queues are open, and known to every group from their
   * start, when this resolves; after a failure whoever uses the topic next completes it. Safe to repeat.
   *
   * Of the message groups of queue `q`, some go on in the new queues `q + n`, `q + 2n`, … of which no ordered group reads
   * before it has settled what was sent to `q` for that one until then.
   *
   * @throws InvalidInputError when `queues` is not a multiple of what they are; nothing changed.
   */
  alter(topic: string, changes: Partial<TopicSettings>): Promise<TopicInfo | undefined>;

  /** Topics whose queues have become more, and how many they are: a cheap hint for those that consume. */
  grown(): Promise<ReadonlyMap<string, number>>;

  /**
   * Delete the topic with everything in it: messages, scheduled ones, groups, dead letters. From its first step on nobody
   * finds the topic; after a failure a repeat, `endRemoval` or the next `declare` deletes what is left.
   */
  remove(topic: string): Promise<'removed' | 'unknown'>;

  /** Complete a removal that was cut off. `unknown` when there is none: a topic that can be found stays. */
  endRemoval(topic: string): Promise<'removed' | 'unknown'>;

  /**
   * Generation of the last life of this topic that `remove` ended, for an hour at least: who finds its group gone can tell a
   * deletion from a loss. Undefined when there was none, or nobody knows any more.
   */
  removedGeneration(topic: string): Promise<number | undefined>;

  /**
   * Make the group known in every queue of the topic; a queue it is new to begins at `from`. One that broadcasts has no
   * progress: it is registered, and nothing waits for it.
   *
   * Safe to repeat: what exists stays where it is. `recreated` lists queues in which the group had existed and was
   * lost; there it goes on from where it first began, never from the end.
   *
   * @returns `conflict` with the registered facts when members would differ in mode, filter or what they keep in order;
   *   nothing changes.
   */
  joinGroup(topic: string, join: GroupJoin): Promise<JoinReply>;

  groups(topic: string): Promise<GroupInfo[]>;

  /** Forget the group: its progress, retries and dead letters. Messages stay for others. */
  removeGroup(topic: string, group: string): Promise<'removed' | 'unknown'>;
}

/** What an ordered group keeps in order: each message group, or each queue. */
export type OrderedBy = 'message-group' | 'queue';

export interface GroupJoin extends GroupInfo {
  from: StartFrom;
  allowFilterChange?: boolean;
  /** Of an ordered group. */
  orderedBy?: OrderedBy | undefined;
}

export type JoinReply =
  | { state: 'joined'; created: boolean; recreated: QueueRef[] }
  | { state: 'conflict'; registered: GroupInfo & { orderedBy?: OrderedBy } };
