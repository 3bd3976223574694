import { compileTopicPattern } from '../../filter/topic-pattern.js';
import { TopicNotFoundError } from '../../message/errors.js';
import { orAborted } from '../../runtime/drain.js';
import { eachOf } from '../../runtime/each-of.js';
import type { GroupQueue } from '../../store/delivery-store.js';
import type { TopicRegistry } from '../../store/topic-registry.js';
import type { TopicLife } from '../group-registration.js';
import type { PauseReason, RunningSubscription } from '../running-subscription.js';
import type { Subscription } from '../subscription.js';
import { PatternStart } from './pattern-start.js';
import type { TopicWatch } from './topic-watch.js';
import type { Way } from './ways.js';

export interface PatternConsumerOptions {
  subscription: Subscription;
  way: Way;
  topics: Pick<TopicRegistry, 'notePattern'>;
  watch: TopicWatch;
  /** A topic that exists; it is not made for this. @throws TopicNotFoundError */
  findTopic(topic: string): Promise<TopicLife>;
  /** What this process knows of the bodies of a topic. */
  schemaOf(topic: string): Subscription['schema'];
}

const TAKEN_AT_ONCE = 16;

/**
 * One subscription at work on every topic that fits a pattern: the same group in each, in whatever way it consumes.
 *
 * Topics that are made while it runs, or ran before, are read from their start. One that is removed is given up.
 */
export class PatternConsumer implements RunningSubscription {
  readonly subscription: Subscription;
  private readonly options: PatternConsumerOptions;
  private readonly fits: (topic: string) => boolean;
  private readonly begins: PatternStart;
  private readonly consumers = new Map<string, RunningSubscription>();
  private readonly onTopics = (topics: readonly string[]): Promise<void> => this.meet(topics);
  private started = false;
  private stopped = false;

  constructor(options: PatternConsumerOptions) {
    this.options = options;
    this.subscription = options.subscription;
    this.fits = compileTopicPattern(options.subscription.topic);
    this.begins = new PatternStart(options);
  }

  get topics(): readonly string[] {
    return [...this.consumers.keys()];
  }

  get queues(): readonly GroupQueue[] {
    return [...this.consumers.values()].flatMap(({ queues }) => queues);
  }

  get isStarted(): boolean {
    return this.started;
  }

  async join(): Promise<void> {
    await this.takeAll(await this.find(), (consumer) => consumer.join());
  }

  async start(): Promise<void> {
    await this.startAll(await this.find());
    if (this.stopped || this.started) return;
    this.started = true;
    this.options.way.shared.start();
    this.options.watch.follow(this.onTopics);
  }

  pause(why: PauseReason): void {
    this.options.way.shared.pause(why);
  }

  resume(why: PauseReason): void {
    this.options.way.shared.resume(why);
  }

  async growTo(topic: string, queues: number): Promise<void> {
    const consumer = this.consumers.get(topic);
    if (consumer) await this.unlessGone(topic, consumer.growTo(topic, queues));
  }

  recheck(): void {
    for (const consumer of this.consumers.values()) consumer.recheck();
  }

  async stop(timeUp: AbortSignal): Promise<boolean> {
    this.stopped = true;
    const { way, watch } = this.options;
    watch.unfollow(this.onTopics);
    // What a read still brings is taken in before anything is drained.
    await orAborted(way.shared.stop(), timeUp);
    const left = await Promise.all([...this.consumers.values()].map((each) => each.stop(timeUp)));
    way.shared.close();
    return left.every((nothingLeft) => nothingLeft);
  }

  private async find(): Promise<string[]> {
    await this.begins.note();
    const topics = (await this.options.watch.list()).filter(this.fits);
    this.begins.found(topics);
    return topics;
  }

  /** The topics there are: new ones are taken, those that are gone given up. One that cannot be taken stops no other. */
  private async meet(topics: readonly string[]): Promise<void> {
    const fitting = new Set(topics.filter(this.fits));
    for (const topic of this.consumers.keys()) if (!fitting.has(topic)) this.giveUp(topic);
    if ([...fitting].some((topic) => !this.consumers.has(topic))) this.begins.askAgain();
    await this.startAll(fitting);
  }

  private startAll(topics: Iterable<string>): Promise<void> {
    return this.takeAll(topics, async (consumer) => {
      if (!this.stopped && !consumer.isStarted) await consumer.start();
    });
  }

  private takeAll(
    topics: Iterable<string>,
    take: (consumer: RunningSubscription) => Promise<void>,
  ): Promise<void> {
    return eachOf(topics, {
      atOnce: TAKEN_AT_ONCE,
      work: async (topic) => this.unlessGone(topic, take(await this.consumerOf(topic))),
    });
  }

  /** Removed since it was listed: it is given up already. */
  private async unlessGone(topic: string, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof TopicNotFoundError) || this.consumers.has(topic)) throw error;
    }
  }

  private giveUp(topic: string): void {
    const consumer = this.consumers.get(topic);
    this.consumers.delete(topic);
    this.begins.gone(topic);
    // Its messages are gone with it: what still runs of it is told so, and there is nothing to settle.
    void consumer?.stop(AbortSignal.abort());
  }

  private async consumerOf(topic: string): Promise<RunningSubscription> {
    const from = await this.begins.in(topic);
    const known = this.consumers.get(topic);
    if (known) return known;
    const { way, schemaOf } = this.options;
    const { subscription } = this;
    const find = (): Promise<TopicLife> => this.findTopic(topic);
    const made = way.consumerOf({
      subscription: {
        ...subscription,
        topic,
        from,
        schema: subscription.schema ?? schemaOf(topic),
      },
      topic: { get: find, refresh: find },
    });
    this.consumers.set(topic, made);
    return made;
  }

  private async findTopic(topic: string): Promise<TopicLife> {
    try {
      return await this.options.findTopic(topic);
    } catch (error) {
      if (error instanceof TopicNotFoundError) this.giveUp(topic);
      throw error;
    }
  }
}
