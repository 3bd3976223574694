import type {
  AppendCall,
  AppendReply,
  LogRange,
  LogReader,
  MessageLog,
  ReopenCall,
  ReopenReply,
} from '../core/store/message-log.js';
import type { QueueRef, StoredEntry } from '../core/store/refs.js';
import type { GroupInfo } from '../core/store/topic-registry.js';
import { KeptAppendKeys } from './append-keys.js';
import {
  type AppendWords,
  dedupArguments,
  dueArgument,
  readAppendReply,
  readResults,
} from './append-words.js';
import type { AckedQueues } from './acked-queues.js';
import { type RawEntry, readContent } from './entry-content.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import type { Connections } from './connections.js';
import { RedisLogReader } from './redis-log-reader.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';
import { readGroup, splitOnce } from './topic-facts.js';

/** Queues as Redis streams; see append.lua for what makes an append happen once. */
export class RedisMessageLog implements MessageLog {
  private readonly host: Connections;
  private readonly keys: Keys;
  private readonly appendKeys: KeptAppendKeys;
  private readonly acked: AckedQueues;

  constructor(options: { connections: Connections; keys: Keys; acked: AckedQueues }) {
    this.host = options.connections;
    this.keys = options.keys;
    this.appendKeys = new KeptAppendKeys(options);
    this.acked = options.acked;
  }

  append(call: AppendCall): Promise<AppendReply> {
    if (!call.acks) return this.appendThrough(this.host, call);
    return this.acked.of(call).run(call.acks, {
      work: (host) => this.appendThrough(host, call),
      wrote: ({ state }) => state === 'appended',
    });
  }

  reopen(call: ReopenCall): Promise<ReopenReply> {
    if (!call.acks) return this.reopenThrough(this.host, call);
    return this.acked.of(call).run(call.acks, {
      work: (host) => this.reopenThrough(host, call),
      // A write in any case: what is waited for are also the messages it speaks of.
      wrote: ({ state }) => state === 'open',
    });
  }

  private async appendThrough(host: ScriptHost, call: AppendCall): Promise<AppendReply> {
    const keys = this.appendKeys.of(call);
    const { entries } = call;
    const dedup = dedupArguments(keys, entries);
    const reply = (await scripts.append.run(host, {
      keys,
      moreKeys: dedup.records,
      args: {
        generation: String(call.generation),
        session: call.session,
        epoch: String(call.epoch),
        number: String(call.number),
        dues: dueArgument(entries),
        dedups: dedup.places,
      },
      moreArgs: entries.map(({ frame }) => frame),
    })) as AppendWords;
    return readAppendReply(call, reply);
  }

  private async reopenThrough(host: ScriptHost, call: ReopenCall): Promise<ReopenReply> {
    const [word, ...answers] = (await scripts.reopen.run(host, {
      keys: this.keys.queue(call),
      args: {
        session: call.session,
        epoch: String(call.epoch),
        asked: call.asked.map(({ epoch, number }) => `${epoch}:${number}`).join(' '),
      },
    })) as string[];
    if (word === 'new-session') return { state: 'new-session' };
    return {
      state: 'open',
      answers: answers.map((text) =>
        text === 'never' || text === 'not-here' ? text : readResults(text),
      ),
    };
  }

  openReader(): LogReader {
    return new RedisLogReader({ connections: this.host, keys: this.keys });
  }

  async makeRoom(
    ref: QueueRef,
    room: { count: number; drop: 'settled' | 'oldest'; note: string },
  ): Promise<{ dropped: number; deadLetters: number }> {
    const modes = new Map<string, string>();
    for (;;) {
      for (const { group, mode } of await this.settlingGroups(ref.topic)) modes.set(group, mode);
      const [word, found, deadLetters] = (await scripts.makeRoom.run(this.host, {
        keys: this.keys.queue(ref),
        moreKeys: [...modes.keys()].flatMap((group) => {
          const { retry, suspects, attempts, dead } = this.keys.groupQueue({ ...ref, group });
          return [retry, suspects, attempts, dead];
        }),
        args: { count: String(room.count), drop: room.drop, note: room.note.replace(/}$/, '') },
        moreArgs: [...modes].flat(),
      })) as [string, string, string];
      if (word === 'made') return { dropped: Number(found), deadLetters: Number(deadLetters) };
      // One that joined in between is registered before it is there; any other was made by somebody else.
      modes.set(found, 'stranger');
    }
  }

  /** Those that broadcast settle nothing, and so keep nothing. */
  private async settlingGroups(topic: string): Promise<GroupInfo[]> {
    const { groups: key } = this.keys.topic(topic);
    const found = await answer({ operation: 'HGETALL', key }, this.host.redis.hgetall(key));
    return Object.entries(found)
      .map(([group, facts]) => readGroup(group, splitOnce(facts)))
      .filter(({ mode }) => mode !== 'broadcasting');
  }

  async range(range: LogRange): Promise<StoredEntry[]> {
    const { topic, queue, from, to, count } = range;
    const { log } = this.keys.queue(range);
    const { redis } = this.host;
    const entries = (await (range.reverse
      ? answer(
          { operation: 'XREVRANGE', key: log },
          redis.xrevrangeBuffer(log, to, from, 'COUNT', count),
        )
      : answer(
          { operation: 'XRANGE', key: log },
          redis.xrangeBuffer(log, from, to, 'COUNT', count),
        ))) as RawEntry[];
    return entries.map(([id, fields]) => ({
      topic,
      queue,
      offset: id.toString('latin1'),
      content: readContent(fields),
    }));
  }

  /** Three questions one after the other: under load they may see the queue at slightly different moments. */
  async extent(
    ref: QueueRef,
  ): Promise<{ length: number; first: string | null; last: string | null }> {
    const { log } = this.keys.queue(ref);
    const { redis } = this.host;
    const [length, oldest, newest] = await answer(
      { operation: 'XLEN', key: log },
      Promise.all([
        redis.xlen(log),
        redis.xrange(log, '-', '+', 'COUNT', 1),
        redis.xrevrange(log, '+', '-', 'COUNT', 1),
      ]),
    );
    return { length, first: oldest[0]?.[0] ?? null, last: newest[0]?.[0] ?? null };
  }

  async trim(ref: QueueRef, limit: number): Promise<number> {
    const [removed] = (await scripts.trim.run(this.host, {
      keys: this.keys.queue(ref),
      args: { limit: String(limit) },
    })) as [string];
    return Number(removed);
  }
}
