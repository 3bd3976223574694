import { randomBytes } from 'node:crypto';
import { fitsTopic } from '../core/filter/topic-pattern.js';
import type { TopicName } from '../core/message/topic.js';
import type { GroupLag, GroupQueue } from '../core/store/delivery-store.js';
import type { PausedGroup } from '../core/store/pause-store.js';
import type { Stores } from '../core/store/stores.js';
import type { QueueGate } from '../core/store/queue-lease-store.js';
import type { ConsumeMode, GroupInfo, TopicInfo } from '../core/store/topic-registry.js';
import { queuesOf } from '../core/store/refs.js';
import { GroupNotFoundError, InUseError } from './errors.js';
import { groupProblem, refuse, topicNameProblem } from './input.js';
import type { Topics } from './topics.js';

export interface QueueLag extends GroupLag {
  queue: number;
  /**
   * Why an ordered group does not read the queue yet: what it has to settle, in the queue where the message groups were
   * before the topic grew. Null when nothing keeps it.
   */
  gate: QueueGate | null;
}

export interface GroupDescription extends GroupInfo {
  topic: string;
  queues: QueueLag[];
  /** Over all queues. A number that one queue cannot tell is null here, too: unknown, never 0. */
  total: Omit<GroupLag, 'oldestUnsettled'> & {
    /** Published and not settled: undelivered, in flight, waiting and held together. */
    lag: number | null;
  };
  members: GroupMember[];
  /**
   * Since when it is paused in every process, and as what: as this topic, or as the pattern that fits it. Null when it is not, and
   * when its members follow a pattern that was paused by the name of another topic (`listPausedGroups`). What a
   * process paused for itself (`MessageConsumer.pause`) only that process knows.
   */
  paused: PausedGroup | null;
}

/** A consumer the store knows in the group. */
export interface GroupMember {
  /** Name of its process; new with each start. */
  member: string;
  /** Its process has shown itself within `deadAfterMs`. What a dead one held is handed out again. */
  alive: boolean;
}

/** Questions and commands about consumer groups. */
export class Groups {
  private readonly stores: Stores;
  private readonly topics: Topics;
  private readonly deadAfterMs: number;

  constructor(options: { stores: Stores; topics: Topics; deadAfterMs: number }) {
    this.stores = options.stores;
    this.topics = options.topics;
    this.deadAfterMs = options.deadAfterMs;
  }

  async list(name: TopicName): Promise<GroupInfo[]> {
    const { topic } = await this.topics.existing(name, 'listGroups');
    return this.stores.topics.groups(topic);
  }

  async describe(name: TopicName, group: string): Promise<GroupDescription> {
    const info = await this.existing(name, group, 'describeGroup');
    const refs = this.refs(info, group);
    const [queues, members, paused] = await Promise.all([
      Promise.all(refs.map((ref) => this.describeQueue(ref, info.group.mode))),
      this.members(refs),
      this.pausedAs(info.topic, group),
    ]);
    return { ...info.group, topic: info.topic, queues, total: totalOf(queues), members, paused };
  }

  /** @throws InUseError when any group of the topic has a living member. */
  async refuseWhileTopicIsConsumed(info: TopicInfo): Promise<void> {
    const groups = await this.stores.topics.groups(info.topic);
    const names = groups.map(({ group }) => group);
    await this.refuseWhileAlive(info, names, `Topic "${info.topic}"`);
  }

  /** @throws InvalidInputError, TopicNotFoundError or GroupNotFoundError. */
  async existing(
    name: TopicName,
    group: string,
    method: string,
  ): Promise<TopicInfo & { group: GroupInfo }> {
    refuse(method, [topicNameProblem(name), groupProblem(group)]);
    const info = await this.topics.existing(name, method);
    const groups = await this.stores.topics.groups(info.topic);
    const found = groups.find((known) => known.group === group);
    const names = groups.map((known) => known.group);
    if (!found) throw new GroupNotFoundError(info.topic, group, names);
    return { ...info, group: found };
  }

  private async pausedAs(topic: string, group: string): Promise<PausedGroup | null> {
    const paused = await this.stores.paused.list();
    return paused.find((one) => one.group === group && fitsTopic(one.topic, topic)) ?? null;
  }

  refs(info: TopicInfo, group: string): GroupQueue[] {
    return queuesOf(info).map((ref) => ({ ...ref, group }));
  }

  private async describeQueue(ref: GroupQueue, mode: ConsumeMode): Promise<QueueLag> {
    const { deliveries, leases } = this.stores;
    const [lag, gate] = await Promise.all([
      deliveries.lag(ref),
      mode === 'ordered' ? leases.gate(ref) : undefined,
    ]);
    return { queue: ref.queue, ...lag, gate: gate ?? null };
  }

  /** @throws InUseError */
  async refuseWhileAlive(info: TopicInfo, groups: readonly string[], what: string): Promise<void> {
    const members = await this.members(groups.flatMap((group) => this.refs(info, group)));
    const alive = members.filter((member) => member.alive).map(({ member }) => member);
    if (alive.length > 0) throw new InUseError(what, alive);
  }

  private async members(refs: readonly GroupQueue[]): Promise<GroupMember[]> {
    const listed = await Promise.all(refs.map((ref) => this.stores.deliveries.consumers(ref)));
    // An ordered group has owners of queues instead of consumers.
    const views = await Promise.all(refs.map((ref) => this.stores.leases.view(ref)));
    const owners = views.flatMap(({ owner }) => (owner === null ? [] : [owner]));
    const names = [...new Set([...listed.flat(), ...owners])].sort();
    if (names.length === 0) return [];
    const alive = await this.livingOf(names);
    return names.map((member) => ({ member, alive: alive.has(member) }));
  }

  private async livingOf(names: readonly string[]): Promise<Set<string>> {
    const now = await this.storeNow();
    // Not what a beat answers: of very many members it shows those that are silent the longest.
    const beats = await this.stores.members.lastBeats(names);
    const recent = beats.filter(({ beatAt }) => now - beatAt < this.deadAfterMs);
    return new Set(recent.map(({ member }) => member));
  }

  /** The store tells its time to those that beat: this asks under a name of its own, which it takes back. */
  private async storeNow(): Promise<number> {
    const { members } = this.stores;
    const asking = `admin-${randomBytes(9).toString('base64url')}`;
    const { now } = await members.beat(asking);
    await members.leave(asking);
    return now;
  }
}

function totalOf(queues: readonly QueueLag[]): GroupDescription['total'] {
  const sum = (count: (lag: QueueLag) => number): number =>
    queues.reduce((total, lag) => total + count(lag), 0);
  const undelivered = queues.some((lag) => lag.undelivered === null)
    ? null
    : sum((lag) => lag.undelivered!);
  const inFlight = sum((lag) => lag.inFlight);
  const waiting = sum((lag) => lag.waiting);
  const held = sum((lag) => lag.held);
  return {
    undelivered,
    inFlight,
    waiting,
    held,
    deadLetters: sum((lag) => lag.deadLetters),
    lag: undelivered === null ? null : undelivered + inFlight + waiting + held,
  };
}
