import type { Events } from './runtime/events.js';
import type { AppendCall, MessageLog } from './store/message-log.js';
import type { QueueRef } from './store/refs.js';
import type { StoreTime } from './store/store-time.js';
import type { Stores } from './store/stores.js';
import type { TopicInfo } from './store/topic-registry.js';

type Note = (work: string, at: number) => void;

const MOST_RELEASED = 500;
const MOST_TRIMMED = 10_000;
const TRIM_EVERY_MS = 60_000;

/** The work of releasing what is scheduled in a queue, as the agenda knows it. */
export function releaseWork({ topic, queue }: QueueRef): string {
  return `release/${topic}/${queue}`;
}

/**
 * What queues need from time to time, whoever does it: scheduled messages released, old ones trimmed. The agenda
 * says when; any process of the namespace can do it.
 */
export class Upkeep {
  private readonly stores: Stores;
  private readonly events: Events;
  private readonly storeTime: StoreTime;
  private note: Note = () => {};

  constructor(options: { stores: Stores; events: Events; storeTime: StoreTime }) {
    this.stores = options.stores;
    this.events = options.events;
    this.storeTime = options.storeTime;
  }

  noteWith(note: Note): void {
    this.note = note;
  }

  /** This process uses the topic: see that its queues are looked after, and that nothing scheduled was forgotten. */
  look(info: TopicInfo): void {
    for (let queue = 0; queue < info.queues; queue++) {
      this.note(releaseWork({ topic: info.topic, queue }), this.storeTime.now());
      this.note(`trim/${info.topic}/${queue}`, this.storeTime.now() + TRIM_EVERY_MS);
    }
  }

  /** A log that notes what is scheduled before it stores it. */
  watched(log: MessageLog): MessageLog {
    return {
      append: (call) => {
        this.noteScheduled(call);
        return log.append(call);
      },
      reopen: (call) => log.reopen(call),
      range: (range) => log.range(range),
      extent: (ref) => log.extent(ref),
      trim: (ref, limit) => log.trim(ref, limit),
    };
  }

  /** Do the work. @returns when there is more to do, by the store's clock. */
  async perform(work: string): Promise<number | null> {
    const [kind, topic = '', queueText] = work.split('/');
    const queue = Number(queueText);
    if (kind === 'release') return this.release(topic, queue);
    if (kind === 'trim') return this.trim(topic, queue);
    // Noted by a newer library: left to a process that knows it.
    return this.storeTime.now() + TRIM_EVERY_MS;
  }

  private async release(topic: string, queue: number): Promise<number | null> {
    for (;;) {
      const reply = await this.stores.schedule.releaseDue({ topic, queue }, MOST_RELEASED);
      this.storeTime.observe(reply.now);
      if (reply.released > 0) this.events.emit('released', { topic, queue, count: reply.released });
      if (reply.released < MOST_RELEASED) return reply.nextDueAt;
    }
  }

  private async trim(topic: string, queue: number): Promise<number | null> {
    const removed = await this.stores.log.trim({ topic, queue }, MOST_TRIMMED);
    // Of a topic that was removed nothing comes any more: who makes it anew notes its queues anew.
    if (removed === 0 && !(await this.stores.topics.find(topic))) return null;
    return this.storeTime.now() + (removed >= MOST_TRIMMED ? 0 : TRIM_EVERY_MS);
  }

  private noteScheduled(call: AppendCall): void {
    let earliest = Infinity;
    for (const { due } of call.entries)
      if (due)
        earliest = Math.min(earliest, 'at' in due ? due.at : this.storeTime.now() + due.delayMs);
    if (earliest < Infinity) this.note(releaseWork(call), earliest);
  }
}
