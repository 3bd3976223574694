import type { GroupPresence, SeenGroup } from '../core/store/group-presence.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';

export class RedisGroupPresence implements GroupPresence {
  private readonly host: ScriptHost;
  private readonly keys: Keys;

  constructor(options: { host: ScriptHost; keys: Keys }) {
    this.host = options.host;
    this.keys = options.keys;
  }

  async note(topic: string, present: readonly string[]): Promise<SeenGroup[]> {
    const reply = (await scripts.notePresence.run(this.host, {
      keys: { groups: this.keys.topic(topic).groups, seen: this.keys.seen(topic) },
      args: {},
      moreArgs: present,
    })) as string[];
    const found: SeenGroup[] = [];
    for (let i = 0; i < reply.length; i += 2)
      found.push({ group: reply[i]!, idleMs: Number(reply[i + 1]) });
    return found.sort((a, b) => (a.group < b.group ? -1 : 1));
  }
}
