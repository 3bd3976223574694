import { AgendaLoop } from './producer/agenda-loop.js';
import type { Clock } from './runtime/clock.js';
import { orAborted } from './runtime/drain.js';
import type { Events } from './runtime/events.js';
import { Loop } from './runtime/loop.js';
import type { AppendCall, AppendResult, MessageLog } from './store/message-log.js';
import type { QueueRef } from './store/refs.js';
import type { StoreTime } from './store/store-time.js';
import type { Stores } from './store/stores.js';
import type { TopicInfo } from './store/topic-registry.js';

export interface UpkeepOptions {
  stores: Stores;
  clock: Clock;
  events: Events;
  storeTime: StoreTime;
  recurring: {
    /** @returns the next time, null when there is none. */
    fire(name: string): Promise<number | null>;
    /** What the agenda should know. */
    noteAll(): Promise<void>;
  };
  /** Topics this process uses. */
  topicsInUse(): TopicInfo[];
  onTrouble(doing: string, error: unknown): void;
}

/** A lost agenda makes nothing later than this; less often with more than six hundred queues. */
const ROUND_MS = 60_000;
const MOST_RELEASED = 500;
const MOST_TRIMMED = 10_000;
const TRIM_EVERY_MS = 60_000;
const RECURRING = 'recurring/';
/** A send that waits for longer, as for room in its topic, keeps nothing else that is due waiting. */
const LONGEST_FIRE_MS = 1_000;
/** What this process knows of the store's time may be so late. */
const LOOKED_AT_MS = 1_000;

/** The work of releasing what is scheduled in a queue, as the agenda knows it. */
export function releaseWork({ topic, queue }: QueueRef): string {
  return `release/${topic}/${queue}`;
}

/**
 * What falls due, whoever does it: scheduled messages released, old ones trimmed, recurring sends sent. The agenda says
 * when; any process of the namespace can do it.
 */
export class Upkeep {
  private readonly options: UpkeepOptions;
  private readonly stores: Stores;
  private readonly storeTime: StoreTime;
  private readonly agenda: AgendaLoop;
  private readonly rounds: Loop;
  /** Recurring sends under way, by name. */
  private readonly firing = new Map<string, Promise<number | null>>();

  constructor(options: UpkeepOptions) {
    this.options = options;
    const { stores, clock, storeTime, onTrouble } = options;
    this.stores = stores;
    this.storeTime = storeTime;
    this.agenda = new AgendaLoop({
      agenda: stores.agenda,
      clock,
      storeTime,
      perform: (work) => this.perform(work),
      onError: (error) => onTrouble('do what is due', error),
    });
    this.rounds = new Loop({
      name: 'rounds',
      clock,
      step: () => this.lookAround(),
      onError: (error) => onTrouble('look after topics', error),
    });
  }

  start(): void {
    this.agenda.start();
    this.rounds.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.agenda.stop(), this.rounds.stop()]);
    await Promise.allSettled(this.firing.values());
  }

  /** This process uses the topic: see that its queues are looked after, and that nothing scheduled was forgotten. */
  look(info: TopicInfo): void {
    for (let queue = 0; queue < info.queues; queue++) {
      this.agenda.note(releaseWork({ topic: info.topic, queue }), this.storeTime.now());
      this.agenda.note(`trim/${info.topic}/${queue}`, this.storeTime.now() + TRIM_EVERY_MS);
    }
  }

  /** A log that notes what is scheduled before it stores it. */
  watched(log: MessageLog): MessageLog {
    return {
      append: (call) => {
        const notedAt = this.noteScheduled(call);
        const appended = log.append(call);
        if (notedAt === Infinity) return appended;
        return appended.then((reply) => {
          if (reply.state === 'appended') this.noteLate(call, reply.results, notedAt);
          return reply;
        });
      },
      reopen: async (call) => {
        const reply = await log.reopen(call);
        if (reply.state === 'open')
          for (const answer of reply.answers)
            if (typeof answer === 'object') this.noteLate(call, answer, -Infinity);
        return reply;
      },
      openReader: () => log.openReader(),
      makeRoom: async (ref, room) => {
        const made = await log.makeRoom(ref, room);
        const { topic, queue } = ref;
        if (made.dropped > 0) this.options.events.emit('made-room', { topic, queue, ...made });
        return made;
      },
      range: (range) => log.range(range),
      extent: (ref) => log.extent(ref),
      trim: (ref, limit) => log.trim(ref, limit),
    };
  }

  /** Do the work. @returns when there is more to do, by the store's clock; undefined when it is still under way. */
  async perform(work: string): Promise<number | null | undefined> {
    if (work.startsWith(RECURRING)) return this.fire(work.slice(RECURRING.length));
    const [kind, topic = '', queueText] = work.split('/');
    const queue = Number(queueText);
    if (kind === 'release') return this.release(topic, queue);
    if (kind === 'trim') return this.trim(topic, queue);
    // Noted by a newer library: left to a process that knows it.
    return this.storeTime.now() + TRIM_EVERY_MS;
  }

  private async fire(name: string): Promise<number | null | undefined> {
    const { clock, recurring, onTrouble } = this.options;
    if (this.firing.has(name)) return undefined;
    const firing = recurring.fire(name).finally(() => this.firing.delete(name));
    this.firing.set(name, firing);
    const late = new AbortController();
    const cancel = clock.after(LONGEST_FIRE_MS, () => late.abort());
    firing.catch((error: unknown) => {
      // Otherwise whoever waits for it tells.
      if (late.signal.aborted) onTrouble('send what recurs', error);
    });
    let nextAt: number | null | undefined;
    const fired = firing.then((at) => void (nextAt = at));
    await orAborted(fired, late.signal).finally(cancel);
    return nextAt;
  }

  private async release(topic: string, queue: number): Promise<number | null> {
    for (;;) {
      const reply = await this.stores.schedule.releaseDue({ topic, queue }, MOST_RELEASED);
      this.storeTime.observe(reply.now);
      if (reply.released > 0)
        this.options.events.emit('released', { topic, queue, count: reply.released });
      if (reply.released < MOST_RELEASED) return reply.nextDueAt;
    }
  }

  private async trim(topic: string, queue: number): Promise<number | null> {
    const removed = await this.stores.log.trim({ topic, queue }, MOST_TRIMMED);
    // Of a topic that was removed nothing comes any more: who makes it anew notes its queues anew.
    if (removed === 0 && !(await this.stores.topics.find(topic))) return null;
    return this.storeTime.now() + (removed >= MOST_TRIMMED ? 0 : TRIM_EVERY_MS);
  }

  /** What the agenda should know of the topics in use is noted again, in case the store lost it. @returns the pause. */
  private async lookAround(): Promise<number> {
    const topics = this.options.topicsInUse();
    for (const info of topics) this.look(info);
    await this.options.recurring.noteAll();
    const queues = topics.reduce((sum, info) => sum + info.queues, 0);
    return Math.max(ROUND_MS, queues * 100);
  }

  /** A recurring send will be due at `at`. Call it before it is stored. */
  noteRecurring(name: string, at: number): void {
    this.agenda.note(RECURRING + name, at);
  }

  /** There will be something to release at `at`. Call it before it is stored. */
  noteRelease(ref: QueueRef, at: number): void {
    this.agenda.note(releaseWork(ref), at);
  }

  /** @returns when the first of them is expected to be due; Infinity when none is. */
  private noteScheduled(call: AppendCall): number {
    let earliest = Infinity;
    for (const { due } of call.entries)
      if (due)
        earliest = Math.min(earliest, 'at' in due ? due.at : this.storeTime.now() + due.delayMs);
    if (earliest < Infinity) this.noteRelease(call, earliest);
    return earliest;
  }

  /** A call may arrive so late that somebody looked at its queue as noted, and found nothing there yet. */
  private noteLate(ref: QueueRef, results: readonly AppendResult[], notedAt: number): void {
    if (notedAt > this.storeTime.now() + LOOKED_AT_MS) return;
    let earliest = Infinity;
    for (const result of results)
      if (result.state === 'scheduled') earliest = Math.min(earliest, result.dueAt);
    if (earliest < Infinity) this.noteRelease(ref, earliest);
  }
}
