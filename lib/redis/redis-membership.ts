import type { MemberBeat, Membership } from '../core/store/membership.js';
import { answer } from './errors.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';

/** What is longer is none of ours: names are made by the library. */
const LONGEST_MEMBER = 255;

/** Members of one list by their last beat. */
export class RedisMembership implements Membership {
  private readonly host: ScriptHost;
  /** The list. */
  private readonly key: string;

  constructor(options: { host: ScriptHost; key: string }) {
    this.host = options.host;
    this.key = options.key;
  }

  async beat(member: string): Promise<{ now: number; members: MemberBeat[] }> {
    const [now, ...pairs] = (await scripts.beat.run(this.host, {
      keys: { members: this.key },
      args: { member },
    })) as [string, ...string[]];
    const beats: MemberBeat[] = [];
    for (let i = 0; i < pairs.length; i += 2)
      if (pairs[i]!.length <= LONGEST_MEMBER)
        beats.push({ member: pairs[i]!, beatAt: Number(pairs[i + 1]) });
    return { now: Number(now), members: beats };
  }

  async lastBeats(members: readonly string[]): Promise<MemberBeat[]> {
    if (members.length === 0) return [];
    const { key } = this;
    const beats = await answer(
      { operation: 'ZMSCORE', key },
      this.host.redis.zmscore(key, ...members),
    );
    return members.flatMap((member, i) => {
      const beatAt = beats[i];
      return beatAt == null ? [] : [{ member, beatAt: Number(beatAt) }];
    });
  }

  async leave(member: string): Promise<void> {
    const { key } = this;
    await answer({ operation: 'ZREM', key }, this.host.redis.zrem(key, member));
  }
}
