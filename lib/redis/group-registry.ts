import { TopicNotFoundError } from '../core/message/errors.js';
import { groupProblem } from '../core/message/names.js';
import { queuesOf, type QueueRef, type StartFrom } from '../core/store/refs.js';
import type { GroupInfo, GroupJoin, JoinReply, OrderedBy } from '../core/store/topic-registry.js';
import { closeGroup } from './close-group.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';
import { readGroup, splitOnce } from './topic-facts.js';

export interface GroupRegistryOptions {
  host: ScriptHost;
  keys: Keys;
  /** Opens the queues that are missing. @returns false when there is no such topic. */
  completeTopic(topic: string): Promise<boolean>;
}

/** Consumer groups. The topic's list comes first when one is made and last when it is removed, so that a repeat completes. */
export class GroupRegistry {
  private readonly options: GroupRegistryOptions;

  constructor(options: GroupRegistryOptions) {
    this.options = options;
  }

  async join(topic: string, join: GroupJoin): Promise<JoinReply> {
    const { group, mode, filterDigest, from, orderedBy } = join;
    const { host, keys } = this.options;
    const reply = (await scripts.joinGroup.run(host, {
      keys: { ...keys.topic(topic), seen: keys.seen(topic) },
      args: {
        group,
        mode,
        digest: filterDigest,
        strictness: join.allowFilterChange ? 'allow-filter-change' : 'strict',
        order: orderedBy ?? '',
      },
    })) as string[];
    if (reply[0] === 'unknown') throw topicNotFound(topic);
    if (reply[0] === 'conflict') {
      const order = reply[3] === '' ? {} : { orderedBy: reply[3] as OrderedBy };
      return { state: 'conflict', registered: { ...readGroup(group, reply.slice(1)), ...order } };
    }

    const created = reply[1] === 'new';
    // A group of Redis would keep messages from being trimmed, for nobody.
    if (mode === 'broadcasting') return { state: 'joined', created, recreated: [] };
    const refs = queuesOf({ topic, queues: Number(reply[2]) });
    const beginning = { group, from, known: !created };
    const openAll = (): Promise<string[]> =>
      Promise.all(refs.map((ref) => this.open(ref, beginning)));
    let words = await openAll();
    // Some of them may not be there yet, since the topic grows, or any more, after a failover.
    if (words.includes('no-queue') && (await this.options.completeTopic(topic))) {
      const before = words;
      const now = await openAll();
      // Those that were there already have said what had become of the group.
      words = now.map((word, i) => (word === 'present' ? before[i]! : word));
    }
    if (words.includes('no-queue')) throw topicNotFound(topic);
    return {
      state: 'joined',
      created,
      recreated: refs.filter((_, i) => words[i] === 'recreated'),
    };
  }

  async list(topic: string): Promise<GroupInfo[]> {
    const { groups } = this.options.keys.topic(topic);
    const registered = await answer(
      { operation: 'HGETALL', key: groups },
      this.options.host.redis.hgetall(groups),
    );
    return (
      Object.entries(registered)
        // What somebody else wrote is no group: its name would become part of keys.
        .filter(([group]) => groupProblem(group) === undefined)
        .map(([group, facts]) => readGroup(group, splitOnce(facts)))
    );
  }

  async remove(topic: string, group: string): Promise<'removed' | 'unknown'> {
    const { redis } = this.options.host;
    const { meta, groups } = this.options.keys.topic(topic);
    const queues = await answer({ operation: 'HGET', key: meta }, redis.hget(meta, 'queues'));
    await Promise.all(
      queuesOf({ topic, queues: Number(queues) }).map((ref) =>
        closeGroup({ ...ref, group }, this.options),
      ),
    );
    const roster = this.options.keys.roster({ topic, group });
    await answer({ operation: 'UNLINK', key: roster }, redis.unlink(roster));
    const seen = this.options.keys.seen(topic);
    await answer({ operation: 'HDEL', key: seen }, redis.hdel(seen, group));
    await answer({ operation: 'HDEL', key: meta }, redis.hdel(meta, `order:${group}`));
    // Last, so that a removal that was cut off can be found and repeated.
    const removed = await answer({ operation: 'HDEL', key: groups }, redis.hdel(groups, group));
    return removed > 0 ? 'removed' : 'unknown';
  }

  /** A group of Redis in one queue: `created`, `present`, `recreated` when a known group had lost it, or `no-queue`. */
  async open(
    ref: QueueRef,
    { group, from, known }: { group: string; from: StartFrom; known: boolean },
  ): Promise<string> {
    const [word] = (await scripts.openGroup.run(this.options.host, {
      keys: this.options.keys.groupQueue({ ...ref, group }),
      args: {
        group,
        from: typeof from === 'string' ? from : String(from.getTime()),
        known: known ? 'known' : 'new',
      },
    })) as [string];
    return word;
  }
}

function topicNotFound(topic: string): TopicNotFoundError {
  return new TopicNotFoundError(`There is no topic "${topic}"; declare it first`);
}
