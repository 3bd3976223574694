import type { RecurringEntry, RecurringStore } from '../core/store/recurring-store.js';
import { answer } from './errors.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';
import { splitOnce } from './topic-facts.js';

/** One hash for the whole namespace: next time, a space, definition. */
export class RedisRecurringStore implements RecurringStore {
  private readonly host: ScriptHost;
  private readonly key: string;

  constructor(options: { host: ScriptHost; key: string }) {
    this.host = options.host;
    this.key = options.key;
  }

  async put({ name, definition, nextAt }: RecurringEntry): Promise<void> {
    const { key, host } = this;
    await answer({ operation: 'HSET', key }, host.redis.hset(key, name, `${nextAt} ${definition}`));
  }

  async find(name: string): Promise<RecurringEntry | undefined> {
    const { key, host } = this;
    const text = await answer({ operation: 'HGET', key }, host.redis.hget(key, name));
    return text === null ? undefined : entryOf(name, text);
  }

  async list(): Promise<RecurringEntry[]> {
    const { key, host } = this;
    const all = await answer({ operation: 'HGETALL', key }, host.redis.hgetall(key));
    return Object.entries(all)
      .map(([name, text]) => entryOf(name, text))
      .filter((entry) => entry !== undefined)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async advance(name: string, { from, to }: { from: number; to: number }): Promise<boolean> {
    const [word] = (await scripts.advanceRecurring.run(this.host, {
      keys: { recurring: this.key },
      args: { name, from: String(from), to: String(to) },
    })) as [string];
    return word === 'advanced';
  }

  async remove(name: string): Promise<boolean> {
    const { key, host } = this;
    return (await answer({ operation: 'HDEL', key }, host.redis.hdel(key, name))) > 0;
  }
}

/** What somebody else wrote is no recurring send. */
function entryOf(name: string, text: string): RecurringEntry | undefined {
  const [nextAt, definition] = splitOnce(text);
  return /^\d{1,16}$/.test(nextAt) ? { name, definition, nextAt: Number(nextAt) } : undefined;
}
