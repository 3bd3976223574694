import type { QueueFaultedError } from '../message/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { Events } from '../runtime/events.js';
import type { DeliveredEntry, GroupReader } from '../store/delivery-store.js';
import type { QueueRef } from '../store/refs.js';
import type { Stores } from '../store/stores.js';
import type { ConsumerTiming } from './consumer-timing.js';
import { FetchLoop } from './fetch-loop.js';
import { Intake } from './intake.js';
import { permitsFor } from './per-key/permits-for.js';
import type { Reporter } from './reporter.js';
import type { PauseReason } from './running-subscription.js';
import type { Subscription } from './subscription.js';
import { throttleFor } from './throttle.js';

/** One topic that is read, and who takes what comes of it. */
export interface FetchedTopic {
  readonly subscription: Subscription;
  /** May become more while it is read. */
  readonly refs: readonly QueueRef[];
  /** Whether something waits that only lacks a free slot. */
  readonly overdue: boolean;
  /** Whether nothing of the queue can be settled. */
  isStuck(queue: number): boolean;
  /** What was read and has not begun is left to others, if there are any who may have it. */
  handBack(): void;
  /** Settles that wait for the end of the turn go now. */
  flushSettles(): void;
  accept(entries: readonly DeliveredEntry[]): void;
  /** @returns for how long the queue is to be left out, in milliseconds. */
  onFault(fault: QueueFaultedError): Promise<number>;
  /** A reply may have been lost: what it held is in our name and not in our hands. */
  suspectLoss(): void;
}

export interface TopicFetchOptions {
  /** As it was declared: to a topic, or to a pattern. */
  subscription: Subscription;
  member: string;
  stores: Pick<Stores, 'rates' | 'permits'>;
  clock: Clock;
  events: Events;
  timing: ConsumerTiming;
  reader: GroupReader;
  reporter: Reporter;
}

/** What one subscription fetches, over all of its topics: with one reader, as much as it has slots and room for. */
export class TopicFetch {
  readonly intake: Intake;
  private readonly topics = new Map<string, FetchedTopic>();
  private readonly loop: FetchLoop;

  constructor(options: TopicFetchOptions) {
    const { subscription, timing, reporter } = options;
    this.intake = new Intake({
      concurrency: subscription.concurrency,
      mostBytes: timing.maxInHandBytes,
      throttle: throttleFor({
        ...options,
        onError: (error) => reporter.trouble('ask for its rate limit', error),
      }),
      permits: permitsFor({
        ...options,
        onError: (error) => reporter.trouble('ask for permits of its keys', error),
      }),
    });
    this.loop = this.makeLoop(options);
  }

  /** From the next read on. */
  add(topic: FetchedTopic): void {
    this.topics.set(topic.subscription.topic, topic);
  }

  /** It is not read any more, and what a read under way brings of it is dropped. */
  remove(topic: FetchedTopic): void {
    const { topic: name } = topic.subscription;
    if (this.topics.get(name) === topic) this.topics.delete(name);
  }

  start(): void {
    this.loop.start();
  }

  pause(why: PauseReason): void {
    this.intake.capacity.pause(why);
    for (const each of this.topics.values()) each.handBack();
  }

  resume(why: PauseReason): void {
    this.intake.capacity.resume(why);
  }

  /** Reads no more. What a read still brings is taken in; that is over when this resolves. */
  stop(): Promise<void> {
    this.intake.stop();
    return this.loop.stop();
  }

  /** Nothing is under way any more, or it is given up. */
  close(): void {
    this.intake.close();
  }

  private makeLoop({
    subscription,
    clock,
    timing,
    events,
    reader,
    reporter,
  }: TopicFetchOptions): FetchLoop {
    const { topic, group } = subscription;
    const { topics, intake } = this;
    const suspectLoss = (): void => {
      for (const each of topics.values()) each.suspectLoss();
    };
    reader.onLostReply = suspectLoss;
    return new FetchLoop({
      name: `fetch ${topic}/${group}`,
      queues: () => this.refs(),
      reader,
      capacity: intake.capacity,
      clock,
      blockMs: timing.blockMs,
      isStuck: (ref) => topics.get(ref.topic)?.isStuck(ref.queue) ?? true,
      overdue: () => this.some(({ overdue }) => overdue),
      toRead: (free) => intake.toRead(free),
      beforeRead: () => {
        for (const each of topics.values()) each.flushSettles();
      },
      accept: (entries) => this.accept(entries),
      onFault: (fault) => this.onFault(fault),
      onRecovered: (ref) =>
        events.emit('queue-recovered', { topic: ref.topic, queue: ref.queue, group }),
      onError: (error) => {
        suspectLoss();
        reporter.trouble('fetch', error);
      },
    });
  }

  private refs(): readonly QueueRef[] {
    const all = [...this.topics.values()];
    return all.length === 1 ? all[0]!.refs : all.flatMap(({ refs }) => refs);
  }

  private some(is: (topic: FetchedTopic) => boolean): boolean {
    for (const each of this.topics.values()) if (is(each)) return true;
    return false;
  }

  private accept(entries: readonly DeliveredEntry[]): void {
    if (entries.length === 1) return this.topics.get(entries[0]!.topic)?.accept(entries);
    const byTopic = new Map<string, DeliveredEntry[]>();
    for (const entry of entries) {
      const others = byTopic.get(entry.topic);
      if (others) others.push(entry);
      else byTopic.set(entry.topic, [entry]);
    }
    for (const [topic, its] of byTopic) this.topics.get(topic)?.accept(its);
  }

  private async onFault(fault: QueueFaultedError): Promise<number> {
    const topic = this.topics.get(fault.topic);
    try {
      return (await topic?.onFault(fault)) ?? 0;
    } catch (error) {
      // Given up because of it.
      if (this.topics.get(fault.topic) !== topic) return 0;
      throw error;
    }
  }
}
