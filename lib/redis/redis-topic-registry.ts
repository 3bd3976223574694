import { randomUUID } from 'node:crypto';
import { StoreRefusedError, TopicNotFoundError } from '../core/message/errors.js';
import { refusedGrowth } from '../core/message/topic.js';
import type { GroupQueue } from '../core/store/delivery-store.js';
import type { QueueRef, StartFrom } from '../core/store/refs.js';
import type {
  GroupInfo,
  JoinReply,
  TopicInfo,
  TopicRegistry,
  TopicSettings,
} from '../core/store/topic-registry.js';
import { answer } from './errors.js';
import { fromWord } from './half-words.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';
import {
  readFacts,
  readGroup,
  settingArguments,
  splitOnce,
  type TopicFacts,
  withDefaults,
  withoutInnerFacts,
} from './topic-facts.js';

/** In the meta of a queue, before each owner of halves it ever had. */
const OWNER = 'owner:';

/**
 * Topics and groups by name. A topic and its queues lie in different slots, so changes go in an order that can be
 * completed by repeating them: the registry first when something is made, last when it is deleted.
 */
export class RedisTopicRegistry implements TopicRegistry {
  private readonly host: ScriptHost;
  private readonly keys: Keys;

  constructor(options: { host: ScriptHost; keys: Keys }) {
    this.host = options.host;
    this.keys = options.keys;
  }

  async declare(topic: string, settings: Partial<TopicSettings> = {}): Promise<TopicInfo> {
    try {
      return await this.make(topic, settings);
    } catch (error) {
      // Whoever comes to drain what filled the memory needs a topic that is there, and no new one.
      const isFull = error instanceof StoreRefusedError && error.reason === 'OOM';
      const found = isFull ? await this.find(topic) : undefined;
      if (found) return found;
      throw error;
    }
  }

  private async make(topic: string, settings: Partial<TopicSettings>): Promise<TopicInfo> {
    const wanted = withDefaults(settings);
    for (;;) {
      const [word, ...facts] = (await scripts.declareTopic.run(this.host, {
        keys: this.keys.topic(topic),
        args: {
          queues: String(wanted.queues),
          ...settingArguments(wanted),
          born: randomUUID(),
        },
      })) as string[];
      if (word === 'declared') return this.openQueues(readFacts(topic, facts));
      // Somebody began to delete it, and perhaps died doing so.
      await this.remove(topic);
    }
  }

  async find(topic: string): Promise<TopicInfo | undefined> {
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
    if (facts[0] === null || facts[9] !== null) return undefined;
    const found = readFacts(topic, facts);
    // Whoever made it grow may have died over it.
    return found.grewFrom === null ? withoutInnerFacts(found) : this.openQueues(found);
  }

  async list(): Promise<string[]> {
    const { topics } = this.keys;
    const names = await answer(
      { operation: 'SMEMBERS', key: topics },
      this.host.redis.smembers(topics),
    );
    return names.sort();
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

  async remove(topic: string): Promise<'removed' | 'unknown'> {
    const { redis } = this.host;
    const { meta, groups } = this.keys.topic(topic);
    const [word, queues, born, ...names] = (await scripts.beginRemoval.run(this.host, {
      keys: { meta, groups },
      args: {},
    })) as string[];
    if (word === 'unknown') return 'unknown';
    const life = { born: born!, groups: names };
    await Promise.all(queueRefs(topic, Number(queues)).map((ref) => this.removeQueue(ref, life)));
    const { topics } = this.keys;
    await answer({ operation: 'SREM', key: topics }, redis.srem(topics, topic));
    const { grown } = this.keys;
    await answer({ operation: 'HDEL', key: grown }, redis.hdel(grown, topic));
    const rosters = names.map((group) => this.keys.roster({ topic, group }));
    const isLast = await this.removeLife({ meta, born: born! }, [groups, ...rosters]);
    // Made anew meanwhile: it is listed again.
    if (!isLast) await answer({ operation: 'SADD', key: topics }, redis.sadd(topics, topic));
    return 'removed';
  }

  async joinGroup(
    topic: string,
    join: GroupInfo & { from: StartFrom; allowFilterChange?: boolean },
  ): Promise<JoinReply> {
    const { group, mode, filterDigest, from } = join;
    const reply = (await scripts.joinGroup.run(this.host, {
      keys: this.keys.topic(topic),
      args: {
        group,
        mode,
        digest: filterDigest,
        strictness: join.allowFilterChange ? 'allow-filter-change' : 'strict',
      },
    })) as string[];
    if (reply[0] === 'unknown') throw topicNotFound(topic);
    if (reply[0] === 'conflict')
      return { state: 'conflict', registered: readGroup(group, reply.slice(1)) };

    const created = reply[1] === 'new';
    // A group of Redis would keep messages from being trimmed, for nobody.
    if (mode === 'broadcasting') return { state: 'joined', created, recreated: [] };
    const refs = queueRefs(topic, Number(reply[2]));
    const beginning = { group, from, known: !created };
    const open = (): Promise<string[]> =>
      Promise.all(refs.map((ref) => this.openGroup(ref, beginning)));
    let words = await open();
    // Some of them may not be there yet: the topic grows.
    if (words.includes('no-queue') && (await this.find(topic))) words = await open();
    if (words.includes('no-queue')) throw topicNotFound(topic);
    return {
      state: 'joined',
      created,
      recreated: refs.filter((_, i) => words[i] === 'recreated'),
    };
  }

  async groups(topic: string): Promise<GroupInfo[]> {
    const { groups } = this.keys.topic(topic);
    const registered = await answer(
      { operation: 'HGETALL', key: groups },
      this.host.redis.hgetall(groups),
    );
    return Object.entries(registered).map(([group, facts]) => readGroup(group, splitOnce(facts)));
  }

  async removeGroup(topic: string, group: string): Promise<'removed' | 'unknown'> {
    const { redis } = this.host;
    const { meta, groups } = this.keys.topic(topic);
    const queues = await answer({ operation: 'HGET', key: meta }, redis.hget(meta, 'queues'));
    await Promise.all(
      queueRefs(topic, Number(queues)).map(async (ref) =>
        scripts.closeGroup.run(this.host, {
          keys: this.keys.groupQueue({ ...ref, group }),
          moreKeys: await this.heldKeys({ ...ref, group }),
          args: { group },
        }),
      ),
    );
    const roster = this.keys.roster({ topic, group });
    await answer({ operation: 'UNLINK', key: roster }, redis.unlink(roster));
    // Last, so that a removal that was cut off can be found and repeated.
    const removed = await answer({ operation: 'HDEL', key: groups }, redis.hdel(groups, group));
    return removed > 0 ? 'removed' : 'unknown';
  }

  private async openQueues(facts: TopicFacts): Promise<TopicInfo> {
    const { topic, queues, grewFrom } = facts;
    const refs = queueRefs(topic, queues);
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
    await scripts.openQueue.run(this.host, {
      keys: this.keys.queue(ref),
      args: { generation, born, version, ...settingArguments(facts), parent },
    });
  }

  /** Groups read the new queues from their start, and their members are told. */
  private async endGrowth(facts: TopicFacts, added: readonly QueueRef[]): Promise<void> {
    const { topic, queues, generation } = facts;
    const groups = (await this.groups(topic)).filter(({ mode }) => mode !== 'broadcasting');
    const from = 'earliest';
    await Promise.all(
      groups.flatMap(({ group }) =>
        added.map((ref) => this.openGroup(ref, { group, from, known: true })),
      ),
    );
    const { grown } = this.keys;
    await answer({ operation: 'HSET', key: grown }, this.host.redis.hset(grown, topic, queues));
    await scripts.endGrowth.run(this.host, {
      keys: { meta: this.keys.topic(topic).meta },
      args: { generation: String(generation) },
    });
  }

  private async openGroup(
    ref: QueueRef,
    { group, from, known }: { group: string; from: StartFrom; known: boolean },
  ): Promise<string> {
    const [word] = (await scripts.openGroup.run(this.host, {
      keys: this.keys.groupQueue({ ...ref, group }),
      args: {
        group,
        from: typeof from === 'string' ? from : String(from.getTime()),
        known: known ? 'known' : 'new',
      },
    })) as [string];
    return word;
  }

  /**
   * Dedup records and the ends of transactions stay: nobody knows their names. They expire, and belong to this life of
   * the topic, and to its transactions, only.
   */
  private async removeQueue(
    ref: QueueRef,
    { born, groups }: { born: string; groups: readonly string[] },
  ): Promise<void> {
    const { meta, log, sessions, scheduled, due, only, half, parkedHalves, before } =
      this.keys.queue(ref);
    const ofGroups = groups.map(async (group) => {
      const { retry, suspects, attempts, dead, lease, lanes, hold, parked } = this.keys.groupQueue({
        ...ref,
        group,
      });
      const held = await this.heldKeys({ ...ref, group });
      return [retry, suspects, attempts, dead, lease, lanes, hold, parked, ...held];
    });
    const all = (await Promise.all([...ofGroups, this.checkKeys(ref)])).flat();
    const own = [log, sessions, scheduled, due, only, half, parkedHalves, before];
    await this.removeLife({ meta, born }, [...own, ...all]);
  }

  /** @returns false when another life of the topic has begun there: it stays. */
  private async removeLife(
    { meta, born }: { meta: string; born: string },
    others: readonly string[],
  ): Promise<boolean> {
    const [word] = (await scripts.removeLife.run(this.host, {
      keys: { meta },
      moreKeys: others,
      args: { born },
    })) as ['removed' | 'other-life'];
    return word === 'removed';
  }

  /** Of everybody who ever owned a half here. */
  private async checkKeys(ref: QueueRef): Promise<string[]> {
    const { meta } = this.keys.queue(ref);
    const facts = await answer({ operation: 'HKEYS', key: meta }, this.host.redis.hkeys(meta));
    return facts
      .filter((fact) => fact.startsWith(OWNER))
      .map((fact) => fromWord(fact.slice(OWNER.length)))
      .map((owner) => this.keys.halfQueue({ ...ref, owner }).checks);
  }

  /** What lanes of the group hold; nothing but the list of those lanes knows their names. */
  private async heldKeys(ref: GroupQueue): Promise<string[]> {
    const keys = this.keys.groupQueue(ref);
    const lanes = await answer(
      { operation: 'HKEYS', key: keys.hold },
      this.host.redis.hkeys(keys.hold),
    );
    return lanes.map((lane) => keys.held(lane));
  }
}

function queueRefs(topic: string, queues: number): QueueRef[] {
  return Array.from({ length: queues }, (_, queue) => ({ topic, queue }));
}

function topicNotFound(topic: string): TopicNotFoundError {
  return new TopicNotFoundError(`There is no topic "${topic}"; declare it first`);
}
