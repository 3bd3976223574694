import { queuesOf, type QueueRef } from '../core/store/refs.js';
import { closeGroup } from './close-group.js';
import { answer } from './errors.js';
import { fromWord } from './half-words.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';

/** Longer than whoever consumes may take to find its group gone. */
const REMEMBERED_MS = 3_600_000;
/** In the meta of a queue, before each owner of halves it ever had. */
const OWNER = 'owner:';

/**
 * The end of a topic. It is marked first and forgotten last, with its queues in between, so that a removal that was cut
 * off is completed by repeating it. What another life of the topic has written meanwhile stays.
 */
export class TopicRemoval {
  private readonly host: ScriptHost;
  private readonly keys: Keys;

  constructor(options: { host: ScriptHost; keys: Keys }) {
    this.host = options.host;
    this.keys = options.keys;
  }

  /**
   * @param which `begun`: only a topic whose removal was cut off, and not the one that somebody has made anew since.
   * @returns `unknown` when there is no such topic, also when it was removed before.
   */
  async remove(topic: string, which: 'any' | 'begun'): Promise<'removed' | 'unknown'> {
    const { redis } = this.host;
    const { meta, groups } = this.keys.topic(topic);
    const [word, queues, born, ...names] = (await scripts.beginRemoval.run(this.host, {
      keys: { meta, groups, deleted: this.keys.deleted(topic) },
      args: { which, rememberedMs: String(REMEMBERED_MS) },
    })) as string[];
    if (word === 'unknown') return 'unknown';
    const life = { born: born!, groups: names };
    await Promise.all(
      queuesOf({ topic, queues: Number(queues) }).map((ref) => this.removeQueue(ref, life)),
    );
    const { topics } = this.keys;
    await answer({ operation: 'SREM', key: topics }, redis.srem(topics, topic));
    const { grown } = this.keys;
    await answer({ operation: 'HDEL', key: grown }, redis.hdel(grown, topic));
    const rosters = names.map((group) => this.keys.roster({ topic, group }));
    const registration = [groups, this.keys.seen(topic), ...rosters];
    const isLast = await this.removeLife({ meta, born: born! }, registration);
    // Made anew meanwhile: it is listed again.
    if (!isLast) await answer({ operation: 'SADD', key: topics }, redis.sadd(topics, topic));
    return 'removed';
  }

  /** Generation of the last life of the topic that ended so. */
  async lastRemoved(topic: string): Promise<number | undefined> {
    const key = this.keys.deleted(topic);
    const generation = await answer({ operation: 'GET', key }, this.host.redis.get(key));
    return generation === null ? undefined : Number(generation);
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
    const { host, keys } = this;
    await Promise.all(groups.map((group) => closeGroup({ ...ref, group }, { host, keys, born })));
    const ofGroups = groups.map((group) => {
      const { retry, suspects, attempts, dead, lease, lanes, hold, parked } = this.keys.groupQueue({
        ...ref,
        group,
      });
      return [retry, suspects, attempts, dead, lease, lanes, hold, parked];
    });
    const all = [...ofGroups.flat(), ...(await this.checkKeys(ref))];
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
}
