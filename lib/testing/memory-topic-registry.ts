import { TopicNotFoundError } from '../core/message/errors.js';
import { given } from '../core/message/options.js';
import { growthProblem, refusedGrowth } from '../core/message/topic.js';
import type { QueueRef, StartFrom } from '../core/store/refs.js';
import {
  DEFAULT_TOPIC_SETTINGS,
  type GroupInfo,
  type GroupJoin,
  type JoinReply,
  type TopicInfo,
  type TopicRegistry,
  type TopicSettings,
} from '../core/store/topic-registry.js';
import type { MemoryGate } from './memory-gate.js';
import { MemoryGroup } from './memory-group.js';
import { type GroupState, type MemoryState, QueueState, type TopicState } from './memory-state.js';

export class MemoryTopicRegistry implements TopicRegistry {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  declare(topic: string, settings: Partial<TopicSettings> = {}): Promise<TopicInfo> {
    return this.gate.call(() => ({
      ...(this.state.topics.get(topic) ?? this.create(topic, settings)).info,
    }));
  }

  find(topic: string): Promise<TopicInfo | undefined> {
    return this.gate.call(() => {
      const found = this.state.topics.get(topic);
      return found && { ...found.info };
    });
  }

  /** No queue is ever missing here. */
  complete(topic: string): Promise<TopicInfo | undefined> {
    return this.find(topic);
  }

  list(): Promise<string[]> {
    return this.gate.call(() => [...this.state.topics.keys()].sort());
  }

  count(): Promise<number> {
    return this.gate.call(() => this.state.topics.size);
  }

  notePattern(pattern: string, group: string): Promise<number> {
    return this.gate.call(() => {
      const name = `${group} ${pattern}`;
      const now = this.gate.clock.now();
      const noted = this.state.patterns.get(name) ?? now;
      // The clock was set back behind it: what is sent now would be taken for older.
      const since = noted > now ? 0 : noted;
      this.state.patterns.set(name, since);
      return since;
    });
  }

  alter(topic: string, changes: Partial<TopicSettings>): Promise<TopicInfo | undefined> {
    return this.gate.call(() => {
      const found = this.state.topics.get(topic);
      if (!found) return undefined;
      const { queues = found.info.queues } = changes;
      if (growthProblem(found.info.queues, queues))
        throw refusedGrowth(topic, found.info.queues, queues);
      if (queues > found.info.queues) this.grow(found, queues);
      const { retentionMs, maxLength, whenFull, dedupWindowMs } = {
        ...found.info,
        ...given(changes),
      };
      found.info = { ...found.info, retentionMs, maxLength, whenFull, dedupWindowMs };
      return { ...found.info };
    });
  }

  grown(): Promise<ReadonlyMap<string, number>> {
    return this.gate.call(() => new Map(this.state.grown));
  }

  remove(topic: string): Promise<'removed' | 'unknown'> {
    return this.gate.call(() => {
      const found = this.state.topics.get(topic);
      if (!found) return 'unknown';
      this.state.topics.delete(topic);
      this.state.deleted.set(topic, found.info.generation);
      this.state.grown.delete(topic);
      this.state.changed();
      return 'removed';
    });
  }

  /** Nothing cuts a removal off here. */
  endRemoval(): Promise<'removed' | 'unknown'> {
    return this.gate.call(() => 'unknown');
  }

  removedGeneration(topic: string): Promise<number | undefined> {
    return this.gate.call(() => this.state.deleted.get(topic));
  }

  joinGroup(topic: string, join: GroupJoin): Promise<JoinReply> {
    return this.gate.call(() => {
      const found = this.state.topics.get(topic);
      if (!found)
        throw new TopicNotFoundError(
          `Topic "${topic}" does not exist, group "${join.group}" cannot join it; declare the topic first`,
        );
      const registered = found.groups.get(join.group);
      if (registered && differs(registered, join))
        return { state: 'conflict', registered: { ...registered.info, ...registered.order } };
      const { group, mode, filterDigest, orderedBy } = join;
      const starts = registered?.starts ?? new Map<number, string>();
      found.groups.set(group, {
        info: { group, mode, filterDigest },
        order: orderedBy && { orderedBy },
        starts,
        seenAt: this.gate.clock.now(),
      });
      const recreated =
        mode === 'broadcasting'
          ? []
          : establish(found, { group, from: join.from, starts, known: registered !== undefined });
      return { state: 'joined', created: !registered, recreated };
    });
  }

  groups(topic: string): Promise<GroupInfo[]> {
    return this.gate.call(() =>
      [...(this.state.topics.get(topic)?.groups.values() ?? [])].map(({ info }) => ({ ...info })),
    );
  }

  removeGroup(topic: string, group: string): Promise<'removed' | 'unknown'> {
    return this.gate.call(() => {
      const found = this.state.topics.get(topic);
      if (!found?.groups.delete(group)) return 'unknown';
      for (const queue of found.queues) queue.forgetGroup(group);
      this.state.changed();
      return 'removed';
    });
  }

  private grow(topic: TopicState, queues: number): void {
    const { info } = topic;
    const generation = info.generation + 1;
    for (const queue of topic.queues) queue.growth.seal(queue, generation);
    for (let queue = info.queues; queue < queues; queue++) {
      const added = new QueueState({ topic: info.topic, queue });
      added.growth.parent = { queue: queue % info.queues, generation, queues };
      topic.queues.push(added);
    }
    topic.info = { ...info, queues, generation };
    this.state.generations.set(info.topic, generation);
    this.state.grown.set(info.topic, queues);
    for (const [group, { info: registered, starts }] of topic.groups)
      if (registered.mode !== 'broadcasting')
        establish(topic, { group, from: 'earliest', starts, known: true });
    this.state.changed();
  }

  private create(topic: string, settings: Partial<TopicSettings>): TopicState {
    const generation = (this.state.generations.get(topic) ?? 0) + 1;
    const info: TopicInfo = { ...DEFAULT_TOPIC_SETTINGS, ...given(settings), topic, generation };
    const queues = Array.from(
      { length: info.queues },
      (_, queue) => new QueueState({ topic, queue }),
    );
    const created: TopicState = { info, queues, groups: new Map() };
    this.state.topics.set(topic, created);
    this.state.generations.set(topic, generation);
    return created;
  }
}

/** Create what is missing; answers the queues in which it had been there before. */
function establish(
  topic: TopicState,
  join: { group: string; from: StartFrom; starts: Map<number, string>; known: boolean },
): QueueRef[] {
  const recreated: QueueRef[] = [];
  for (const queue of topic.queues) {
    if (queue.groups.has(join.group)) continue;
    const { ref } = queue.log;
    const first = join.starts.get(ref.queue);
    if (first !== undefined) recreated.push(ref);
    queue.lanes.get(join.group)?.reset();
    // A group that is not new skips nothing of a queue that was added.
    const from = join.known && queue.growth.parent ? 'earliest' : join.from;
    const start = first ?? queue.log.startOf(from);
    join.starts.set(ref.queue, start);
    queue.groups.set(join.group, new MemoryGroup({ name: join.group, queue: queue.log, start }));
  }
  return recreated;
}

function differs({ info, order }: GroupState, join: GroupJoin): boolean {
  if (info.mode !== join.mode || (order && order.orderedBy !== join.orderedBy)) return true;
  return info.filterDigest !== join.filterDigest && !join.allowFilterChange;
}
