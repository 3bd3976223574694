import type { MemberBeat, Membership } from '../core/store/membership.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';

/** Members of the namespace by their last beat. */
export class RedisMembership implements Membership {
  private readonly host: ScriptHost;
  private readonly keys: Keys;

  constructor(options: { host: ScriptHost; keys: Keys }) {
    this.host = options.host;
    this.keys = options.keys;
  }

  async beat(member: string): Promise<{ now: number; members: MemberBeat[] }> {
    const { members } = this.keys;
    const [now, ...pairs] = (await scripts.beat.run(this.host, {
      keys: { members },
      args: { member },
    })) as [string, ...string[]];
    const beats: MemberBeat[] = [];
    for (let i = 0; i < pairs.length; i += 2)
      beats.push({ member: pairs[i]!, beatAt: Number(pairs[i + 1]) });
    return { now: Number(now), members: beats };
  }

  async leave(member: string): Promise<void> {
    const { members } = this.keys;
    await answer({ operation: 'ZREM', key: members }, this.host.redis.zrem(members, member));
  }
}
