import { randomUUID } from 'node:crypto';
import { isOutOfMemory } from '../core/message/errors.js';
import { topicProblem } from '../core/message/names.js';
import { refusedGrowth } from '../core/message/topic.js';
import { queuesOf, type QueueRef } from '../core/store/refs.js';
import type {
  GroupInfo,
  JoinReply,
  TopicInfo,
  TopicRegistry,
  TopicSettings,
} from '../core/store/topic-registry.js';
import { answer } from './errors.js';
import { GroupRegistry } from './group-registry.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';
import {
  readFacts,
  settingArguments,
  type TopicFacts,
  withDefaults,
  withoutInnerFacts,
} from './topic-facts.js';
import { TopicRemoval } from './topic-removal.js';

/**
 * Topics and groups by name. A topic and its queues lie in different slots, so changes go in an order that can be
 * completed by repeating them: the registry first when something is made, last when it is deleted.
 */
export class RedisTopicRegistry implements TopicRegistry {
  private readonly host: ScriptHost;
  private readonly keys: Keys;
  private readonly removal: TopicRemoval;
  private readonly groupRegistry: GroupRegistry;

  constructor(options: { host: ScriptHost; keys: Keys }) {
    this.host = options.host;
    this.keys = options.keys;
    this.removal = new TopicRemoval(options);
    this.groupRegistry = new GroupRegistry({
      ...options,
      completeTopic: async (topic) => (await this.complete(topic)) !== undefined,
    });
  }

  async declare(topic: string, settings: Partial<TopicSettings> = {}): Promise<TopicInfo> {
    try {
      return await this.make(topic, settings);
    } catch (error) {
      // Whoever comes to drain what filled the memory needs a topic that is there, and no new one.
      const found = isOutOfMemory(error) ? await this.find(topic) : undefined;
      if (found) return found;
      throw error;
    }
  }

  private async make(topic: string, settings: Partial<TopicSettings>): Promise<TopicInfo> {
    const wanted = withDefaults(settings);
    for (;;) {
      const [word, ...facts] = (await scripts.declareTopic.run(this.host, {
        keys: { meta: this.keys.topic(topic).meta, deleted: this.keys.deleted(topic) },
        args: {
          queues: String(wanted.queues),
          ...settingArguments(wanted),
          born: randomUUID(),
        },
      })) as string[];
      if (word === 'declared') return this.openQueues(readFacts(topic, facts));
      // Somebody began to delete it, and perhaps died doing so.
      await this.endRemoval(topic);
    }
  }

  async find(topic: string): Promise<TopicInfo | undefined> {
    const found = await this.findFacts(topic);
    // Whoever made it grow may have died over it.
    if (found && found.grewFrom !== null) return this.openQueues(found);
    return found && withoutInnerFacts(found);
  }

  async complete(topic: string): Promise<TopicInfo | undefined> {
    const found = await this.findFacts(topic);
    if (!found || (found.grewFrom === null && (await this.hasItsQueues(found))))
      return found && withoutInnerFacts(found);
    // What is being removed says so before its queues go.
    const still = await this.findFacts(topic);
    return still && this.openQueues(still);
  }

  private async findFacts(topic: string): Promise<TopicFacts | undefined> {
    const { meta } = this.keys.topic(topic);
    const facts = await answer(
      { operation: 'HMGET', key: meta },
      this.host.redis.hmget(
        meta,
        ...[
          'queues',
          'retentionMs',
          'maxLength',
          'whenFull',
          'dedupWindowMs',
          'generation',
          'born',
          'version',
          'grewFrom',
          'removing',
        ],
      ),
    );
    return facts[0] === null || facts[9] !== null ? undefined : readFacts(topic, facts);
  }

  /**
   * Also that what was lost with one is noted. Looked at before they are opened: a topic that is removed in this moment must not get
   * queues again.
   */
  private async hasItsQueues({ topic, queues, born, generation }: TopicFacts): Promise<boolean> {
    const known = queuesOf({ topic, queues }).map((ref) => {
      const { meta } = this.keys.queue(ref);
      const asked = this.host.redis.hmget(meta, 'born', 'generation', 'unnoted');
      return answer({ operation: 'HMGET', key: meta }, asked);
    });
    return (await Promise.all(known)).every(
      ([itsBorn, itsGeneration, unnoted]) =>
        itsBorn === born && itsGeneration === String(generation) && unnoted !== born,
    );
  }

  async list(): Promise<string[]> {
    const { topics } = this.keys;
    const names = await answer(
      { operation: 'SMEMBERS', key: topics },
      this.host.redis.smembers(topics),
    );
    // What somebody else wrote is no topic: its name would become part of keys.
    return names.filter((name) => topicProblem(name) === undefined).sort();
  }

  count(): Promise<number> {
    const { topics } = this.keys;
    return answer({ operation: 'SCARD', key: topics }, this.host.redis.scard(topics));
  }

  async notePattern(pattern: string, group: string): Promise<number> {
    const { patterns } = this.keys;
    const args = { group, pattern };
    const [since] = (await scripts.notePattern.run(this.host, { keys: { patterns }, args })) as [
      string,
    ];
    return Number(since);
  }

  async alter(topic: string, changes: Partial<TopicSettings>): Promise<TopicInfo | undefined> {
    const { queues } = changes;
    for (;;) {
      const [word, ...facts] = (await scripts.alterTopic.run(this.host, {
        keys: this.keys.topic(topic),
        args: { ...settingArguments(changes), queues: queues === undefined ? '-' : String(queues) },
      })) as string[];
      if (word === 'unknown') return undefined;
      if (word === 'refused') throw refusedGrowth(topic, Number(facts[0]), queues!);
      if (word === 'altered') return this.openQueues(readFacts(topic, facts));
      // Somebody's growth is under way, or was cut off: complete it first.
      await this.find(topic);
    }
  }

  async grown(): Promise<ReadonlyMap<string, number>> {
    const { grown } = this.keys;
    const queues = await answer(
      { operation: 'HGETALL', key: grown },
      this.host.redis.hgetall(grown),
    );
    return new Map(Object.entries(queues).map(([topic, count]) => [topic, Number(count)]));
  }

  removedGeneration(topic: string): Promise<number | undefined> {
    return this.removal.lastRemoved(topic);
  }

  remove(topic: string): Promise<'removed' | 'unknown'> {
    return this.removal.remove(topic, 'any');
  }

  endRemoval(topic: string): Promise<'removed' | 'unknown'> {
    return this.removal.remove(topic, 'begun');
  }

  joinGroup(...args: Parameters<TopicRegistry['joinGroup']>): Promise<JoinReply> {
    return this.groupRegistry.join(...args);
  }

  groups(topic: string): Promise<GroupInfo[]> {
    return this.groupRegistry.list(topic);
  }

  removeGroup(topic: string, group: string): Promise<'removed' | 'unknown'> {
    return this.groupRegistry.remove(topic, group);
  }

  private async openQueues(facts: TopicFacts): Promise<TopicInfo> {
    const { topic, queues, grewFrom } = facts;
    const refs = queuesOf({ topic, queues });
    const [old, added] = [refs.slice(0, grewFrom ?? queues), refs.slice(grewFrom ?? queues)];
    // Those that message groups leave, first: what comes to a new queue is younger than all they get by the old count.
    await Promise.all(old.map((ref) => this.openQueue(ref, facts)));
    await Promise.all(added.map((ref) => this.openQueue(ref, facts)));
    const { topics } = this.keys;
    await answer({ operation: 'SADD', key: topics }, this.host.redis.sadd(topics, topic));
    if (grewFrom !== null) await this.endGrowth(facts, added);
    return withoutInnerFacts(facts);
  }

  private async openQueue(ref: QueueRef, facts: TopicFacts): Promise<void> {
    const { born, version, queues, grewFrom } = facts;
    const generation = String(facts.generation);
    const isNew = grewFrom !== null && ref.queue >= grewFrom;
    const parent = isNew ? `${ref.queue % grewFrom} ${generation} ${queues}` : '';
    const keys = this.keys.queue(ref);
    const [word] = (await scripts.openQueue.run(this.host, {
      keys,
      args: { generation, born, version, ...settingArguments(facts), parent },
    })) as [string];
    if (word === 'anew') await this.noteLost(ref, born);
  }

  /**
   * Whoever joins one of its groups there next hears that it was lost with the queue, and begins at the first message. Not in one
   * step with opening the queue: who joins in between hears nothing. Who opens or completes the queue next does it if this process dies.
   */
  private async noteLost(ref: QueueRef, born: string): Promise<void> {
    const groups = (await this.groupRegistry.list(ref.topic)).filter(
      ({ mode }) => mode !== 'broadcasting',
    );
    await scripts.noteLost.run(this.host, {
      keys: this.keys.queue(ref),
      args: { born },
      moreArgs: groups.map(({ group }) => group),
    });
  }

  /** Groups read the new queues from their start, and their members are told. */
  private async endGrowth(facts: TopicFacts, added: readonly QueueRef[]): Promise<void> {
    const { topic, queues, generation } = facts;
    const groups = (await this.groupRegistry.list(topic)).filter(
      ({ mode }) => mode !== 'broadcasting',
    );
    const from = 'earliest';
    await Promise.all(
      groups.flatMap(({ group }) =>
        added.map((ref) => this.groupRegistry.open(ref, { group, from, known: true })),
      ),
    );
    const { grown } = this.keys;
    await answer({ operation: 'HSET', key: grown }, this.host.redis.hset(grown, topic, queues));
    await scripts.endGrowth.run(this.host, {
      keys: { meta: this.keys.topic(topic).meta },
      args: { generation: String(generation) },
    });
  }
}
