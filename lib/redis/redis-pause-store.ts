import type { PausedGroup, PauseStore } from '../core/store/pause-store.js';
import { answer } from './errors.js';
import type { ScriptHost } from './script.js';
import { splitOnce } from './topic-facts.js';

/** One hash for the whole namespace: percent-encoded group, a space, topic → since when. */
export class RedisPauseStore implements PauseStore {
  private readonly host: ScriptHost;
  private readonly key: string;

  constructor(options: { host: ScriptHost; key: string }) {
    this.host = options.host;
    this.key = options.key;
  }

  async pause(paused: PausedGroup): Promise<boolean> {
    const { key, host } = this;
    const set = host.redis.hsetnx(key, fieldOf(paused), String(paused.since));
    return (await answer({ operation: 'HSETNX', key }, set)) > 0;
  }

  async resume(paused: Pick<PausedGroup, 'topic' | 'group'>): Promise<boolean> {
    const { key, host } = this;
    return (await answer({ operation: 'HDEL', key }, host.redis.hdel(key, fieldOf(paused)))) > 0;
  }

  async list(): Promise<PausedGroup[]> {
    const { key, host } = this;
    const all = await answer({ operation: 'HGETALL', key }, host.redis.hgetall(key));
    return Object.entries(all)
      .map(([field, since]) => pausedGroup(field, since))
      .filter((paused) => paused !== undefined)
      .sort(byName);
  }
}

function fieldOf({ topic, group }: Pick<PausedGroup, 'topic' | 'group'>): string {
  return `${encodeURIComponent(group)} ${topic}`;
}

/** What somebody else wrote pauses nobody, and must not hide what an operator did. */
function pausedGroup(field: string, since: string): PausedGroup | undefined {
  const [group, topic] = splitOnce(field);
  try {
    return { topic, group: decodeURIComponent(group), since: Number(since) };
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function byName(a: PausedGroup, b: PausedGroup): number {
  return a.topic === b.topic ? (a.group < b.group ? -1 : 1) : a.topic < b.topic ? -1 : 1;
}
