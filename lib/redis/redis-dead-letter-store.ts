import type { DeadLetterEntry, DeadLetterStore } from '../core/store/dead-letter-store.js';
import type { GroupQueue } from '../core/store/delivery-store.js';
import { type RawEntry, readContent, unpacked } from './entry-content.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';

/** The note and the old offset, names and values, stand before the fields of the message. */
const OWN_FIELDS = 4;
const MOST_IDS = 1_000;

/** One stream per queue and group: copies, with what became of them. */
export class RedisDeadLetterStore implements DeadLetterStore {
  private readonly host: ScriptHost;
  private readonly keys: Keys;

  constructor(options: { host: ScriptHost; keys: Keys }) {
    this.host = options.host;
    this.keys = options.keys;
  }

  async list(ref: GroupQueue, page: { after?: string; count: number }): Promise<DeadLetterEntry[]> {
    const { dead } = this.keys.groupQueue(ref);
    const from = page.after === undefined ? '-' : `(${page.after}`;
    const entries = (await answer(
      { operation: 'XRANGE', key: dead },
      this.host.redis.xrangeBuffer(dead, from, '+', 'COUNT', page.count),
    )) as RawEntry[];
    return entries.map((entry) => readDeadLetter(ref, entry));
  }

  async get(ref: GroupQueue, id: string): Promise<DeadLetterEntry | undefined> {
    const { dead } = this.keys.groupQueue(ref);
    const [entry] = (await answer(
      { operation: 'XRANGE', key: dead },
      this.host.redis.xrangeBuffer(dead, id, id),
    )) as RawEntry[];
    return entry && readDeadLetter(ref, entry);
  }

  async count(ref: GroupQueue): Promise<number> {
    const { dead } = this.keys.groupQueue(ref);
    return answer({ operation: 'XLEN', key: dead }, this.host.redis.xlen(dead));
  }

  async redrive(ref: GroupQueue, id: string): Promise<string | undefined> {
    const [word, offset] = (await scripts.redrive.run(this.host, {
      keys: this.keys.groupQueue(ref),
      args: { group: ref.group, id },
    })) as [string, string?];
    return word === 'redriven' ? offset : undefined;
  }

  async remove(ref: GroupQueue, ids: readonly string[]): Promise<number> {
    const { dead } = this.keys.groupQueue(ref);
    let removed = 0;
    for (let i = 0; i < ids.length; i += MOST_IDS)
      removed += await answer(
        { operation: 'XDEL', key: dead },
        this.host.redis.xdel(dead, ...ids.slice(i, i + MOST_IDS)),
      );
    return removed;
  }
}

function readDeadLetter(
  { topic, queue, group }: GroupQueue,
  [id, fields]: RawEntry,
): DeadLetterEntry {
  const all = fields ?? [];
  return {
    topic,
    queue,
    group,
    id: id.toString('latin1'),
    offset: all[3]?.toString('latin1') ?? '',
    note: all[1]?.toString() ?? '',
    content: readContent(unpacked(all.slice(OWN_FIELDS))),
  };
}
