import { compileTopicPattern } from '../../filter/topic-pattern.js';
import { type QueueFaultedError, TopicNotFoundError } from '../../message/errors.js';
import { orAborted } from '../../runtime/drain.js';
import { eachOf } from '../../runtime/each-of.js';
import type { DeliveredEntry, GroupQueue } from '../../store/delivery-store.js';
import type { StartFrom } from '../../store/refs.js';
import { Consumer, type ConsumerOptions } from '../consumer.js';
import { FetchLoop } from '../fetch-loop.js';
import { Intake } from '../intake.js';
import { Reporter } from '../reporter.js';
import { permitsFor } from '../per-key/permits-for.js';
import type { PauseReason, RunningSubscription } from '../running-subscription.js';
import type { Subscription } from '../subscription.js';
import { throttleFor } from '../throttle.js';
import type { TopicWatch } from './topic-watch.js';

export interface PatternConsumerOptions extends Omit<ConsumerOptions, 'topic' | 'intake'> {
  watch: TopicWatch;
  /** A topic that exists; it is not made for this. @throws TopicNotFoundError */
  findTopic(topic: string): Promise<{ queues: number }>;
  /** What this process knows of the bodies of a topic. */
  schemaOf(topic: string): Subscription['schema'];
}

/** A read that waits does not know the queues of a topic that is found meanwhile. */
const LONGEST_BLOCK_MS = 1_000;
const TAKEN_AT_ONCE = 16;

/**
 * One subscription at work on every topic that fits a pattern: the same group in each, one intake and one reader for all.
 *
 * Topics that are made while it runs, or ran before, are read from their start. One that is removed is given up.
 */
export class PatternConsumer implements RunningSubscription {
  readonly subscription: Subscription;
  private readonly options: PatternConsumerOptions;
  private readonly fits: (topic: string) => boolean;
  private readonly intake: Intake;
  private readonly reporter: Reporter;
  private readonly consumers = new Map<string, Consumer>();
  private readonly onTopics = (topics: readonly string[]): Promise<void> => this.meet(topics);
  private fetchLoop: FetchLoop | undefined;
  private from: Promise<StartFrom> | undefined;
  private stopped = false;

  constructor(options: PatternConsumerOptions) {
    this.options = options;
    this.subscription = options.subscription;
    this.fits = compileTopicPattern(options.subscription.topic);
    this.reporter = new Reporter(options);
    this.intake = new Intake({
      concurrency: options.subscription.concurrency,
      mostBytes: options.timing.maxInHandBytes,
      throttle: throttleFor({
        ...options,
        onError: (error) => this.reporter.trouble('ask for its rate limit', error),
      }),
      permits: permitsFor({
        ...options,
        onError: (error) => this.reporter.trouble('ask for permits of its keys', error),
      }),
    });
  }

  get queues(): readonly GroupQueue[] {
    return [...this.consumers.values()].flatMap(({ queues }) => queues);
  }

  get isStarted(): boolean {
    return this.fetchLoop !== undefined;
  }

  async join(): Promise<void> {
    await this.startOf();
    const topics = (await this.options.watch.list()).filter(this.fits);
    await eachOf(topics, {
      atOnce: TAKEN_AT_ONCE,
      work: async (topic) => (await this.consumerOf(topic)).join(),
    });
  }

  async start(): Promise<void> {
    // Noted before it is known whether there are any topics.
    await this.startOf();
    const topics = (await this.options.watch.list()).filter(this.fits);
    await this.takeAll(topics);
    if (this.stopped || this.fetchLoop) return;
    this.fetchLoop = this.makeFetchLoop();
    this.fetchLoop.start();
    this.options.watch.follow(this.onTopics);
  }

  pause(why: PauseReason): void {
    this.intake.capacity.pause(why);
    for (const consumer of this.consumers.values()) consumer.pause(why);
  }

  resume(why: PauseReason): void {
    this.intake.capacity.resume(why);
  }

  async growTo(topic: string, queues: number): Promise<void> {
    await this.consumers.get(topic)?.growTo(topic, queues);
  }

  recheck(): void {
    for (const consumer of this.consumers.values()) consumer.recheck();
  }

  async stop(timeUp: AbortSignal): Promise<boolean> {
    this.stopped = true;
    this.intake.stop();
    this.options.watch.unfollow(this.onTopics);
    // What a read still brings is taken in before anything is drained.
    if (this.fetchLoop) await orAborted(this.fetchLoop.stop(), timeUp);
    const left = await Promise.all([...this.consumers.values()].map((each) => each.stop(timeUp)));
    this.intake.close();
    return left.every((nothingLeft) => nothingLeft);
  }

  /** The topics there are: new ones are taken, those that are gone given up. One that cannot be taken stops no other. */
  private async meet(topics: readonly string[]): Promise<void> {
    const fitting = new Set(topics.filter(this.fits));
    for (const topic of this.consumers.keys()) if (!fitting.has(topic)) this.giveUp(topic);
    // The clock of the store may have been set back since it was asked.
    if ([...fitting].some((topic) => !this.consumers.has(topic))) this.from = undefined;
    await this.takeAll(fitting);
  }

  private takeAll(topics: Iterable<string>): Promise<void> {
    return eachOf(topics, { atOnce: TAKEN_AT_ONCE, work: (topic) => this.take(topic) });
  }

  private async take(topic: string): Promise<void> {
    const consumer = await this.consumerOf(topic);
    if (this.stopped || consumer.isStarted) return;
    try {
      await consumer.start();
    } catch (error) {
      // Removed since it was listed.
      if (!(error instanceof TopicNotFoundError)) throw error;
      this.giveUp(topic);
    }
  }

  private giveUp(topic: string): void {
    const consumer = this.consumers.get(topic);
    this.consumers.delete(topic);
    // Its messages are gone with it: what still runs of it is told so, and there is nothing to settle.
    void consumer?.stop(AbortSignal.abort());
  }

  private async consumerOf(topic: string): Promise<Consumer> {
    const from = await this.startOf();
    const known = this.consumers.get(topic);
    if (known) return known;
    const { findTopic, schemaOf } = this.options;
    const find = (): Promise<{ queues: number }> => findTopic(topic);
    const made = new Consumer({
      ...this.options,
      subscription: {
        ...this.subscription,
        topic,
        from,
        schema: this.subscription.schema ?? schemaOf(topic),
      },
      intake: this.intake,
      topic: { get: find, refresh: find },
    });
    this.consumers.set(topic, made);
    return made;
  }

  /** The latest message when the group first followed the pattern, so that what was made since is read from its start. */
  private startOf(): Promise<StartFrom> {
    const { topic: pattern, group, from } = this.subscription;
    if (from !== 'latest') return Promise.resolve(from);
    this.from ??= this.options.stores.topics.notePattern(pattern, group).then(
      (since) => new Date(since),
      (error: unknown) => {
        // The next call asks again.
        this.from = undefined;
        throw error;
      },
    );
    return this.from;
  }

  private makeFetchLoop(): FetchLoop {
    const { stores, clock, timing, member, events } = this.options;
    const { topic: pattern, group } = this.subscription;
    const of = (ref: { topic: string }): Consumer | undefined => this.consumers.get(ref.topic);
    return new FetchLoop({
      name: `fetch ${pattern}/${group}`,
      queues: () => this.queues,
      reader: stores.deliveries.openReader(group, member),
      capacity: this.intake.capacity,
      clock,
      blockMs: Math.min(timing.blockMs, LONGEST_BLOCK_MS),
      isStuck: (ref) => of(ref)?.isStuck(ref.queue) ?? true,
      overdue: () => [...this.consumers.values()].some(({ overdue }) => overdue),
      toRead: (free) => this.intake.toRead(free),
      beforeRead: () => {
        for (const consumer of this.consumers.values()) consumer.flushSettles();
      },
      accept: (entries) => this.accept(entries),
      onFault: (fault) => this.onFault(fault),
      onRecovered: ({ topic, queue }) => events.emit('queue-recovered', { topic, queue, group }),
      onError: (error) => {
        for (const consumer of this.consumers.values()) consumer.suspectLoss();
        this.reporter.trouble('fetch', error);
      },
    });
  }

  /** What comes of a topic that was given up meanwhile is gone with it. */
  private accept(entries: readonly DeliveredEntry[]): void {
    const byTopic = new Map<string, DeliveredEntry[]>();
    for (const entry of entries) {
      const others = byTopic.get(entry.topic);
      if (others) others.push(entry);
      else byTopic.set(entry.topic, [entry]);
    }
    for (const [topic, its] of byTopic) this.consumers.get(topic)?.accept(its);
  }

  private async onFault(fault: QueueFaultedError): Promise<number> {
    const { topic } = fault;
    try {
      return (await this.consumers.get(topic)?.onFault(fault)) ?? 0;
    } catch (error) {
      if (!(error instanceof TopicNotFoundError)) throw error;
      this.giveUp(topic);
      return 0;
    }
  }
}
