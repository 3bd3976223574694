import { formatMessageId, parseMessageId } from '../core/message/message-id.js';
import type { QueueRef } from '../core/store/refs.js';
import type { ScheduledEntry, SchedulePlace, ScheduleStore } from '../core/store/schedule-store.js';
import { whenArgument } from './append-words.js';
import { answer } from './errors.js';
import type { Keys } from './keys.js';
import type { ScriptHost } from './script.js';
import { scripts } from './scripts.js';

/** Messages that wait in a hash, in the order of a sorted set, beside the queue they will enter. */
export class RedisScheduleStore implements ScheduleStore {
  private readonly host: ScriptHost;
  private readonly keys: Keys;

  constructor(options: { host: ScriptHost; keys: Keys }) {
    this.host = options.host;
    this.keys = options.keys;
  }

  async releaseDue(
    ref: QueueRef,
    limit: number,
  ): Promise<{ released: number; nextDueAt: number | null; now: number }> {
    const [released, next, now] = (await scripts.releaseDue.run(this.host, {
      keys: this.keys.queue(ref),
      args: { limit: String(limit) },
    })) as [string, string, string];
    return {
      released: Number(released),
      nextDueAt: next === '' ? null : Number(next),
      now: Number(now),
    };
  }

  async cancel(ref: QueueRef, messageId: string): Promise<boolean> {
    const [word] = await scripts.cancel.run(this.host, {
      keys: this.keys.queue(ref),
      args: { id: parseMessageId(messageId) },
    });
    return word === 'cancelled';
  }

  async reschedule(
    ref: QueueRef,
    messageId: string,
    due: { delayMs: number } | { at: number },
  ): Promise<boolean> {
    const [word] = await scripts.reschedule.run(this.host, {
      keys: this.keys.queue(ref),
      args: { id: parseMessageId(messageId), when: whenArgument(due) },
    });
    return word === 'rescheduled';
  }

  async find(
    ref: QueueRef,
    messageId: string,
  ): Promise<{ frame: Buffer; dueAt: number } | undefined> {
    const [frame, dueAt] = (await scripts.findScheduled.runBinary(this.host, {
      keys: this.keys.queue(ref),
      args: { id: parseMessageId(messageId) },
    })) as [Buffer?, Buffer?];
    return frame && dueAt ? { frame, dueAt: Number(dueAt.toString('latin1')) } : undefined;
  }

  async list(
    ref: QueueRef,
    { after, count }: { after?: SchedulePlace; count: number },
  ): Promise<ScheduledEntry[]> {
    const parts = (await scripts.listScheduled.runBinary(this.host, {
      keys: this.keys.queue(ref),
      args: {
        afterDue: after ? String(after.dueAt) : '',
        afterId: after ? parseMessageId(after.messageId) : '',
        count: String(count),
      },
    })) as Buffer[];
    const listed: ScheduledEntry[] = [];
    for (let i = 0; i < parts.length; i += 3)
      listed.push({
        messageId: formatMessageId(parts[i]!),
        dueAt: Number(parts[i + 1]!.toString('latin1')),
        frame: parts[i + 2]!,
      });
    return listed;
  }

  async count(ref: QueueRef): Promise<number> {
    const { due } = this.keys.queue(ref);
    return answer({ operation: 'ZCARD', key: due }, this.host.redis.zcard(due));
  }
}
