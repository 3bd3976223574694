import { fitsTopic } from '../filter/topic-pattern.js';
import { ClosedError } from '../message/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { Drain } from '../runtime/drain.js';
import { eachOf } from '../runtime/each-of.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { LagReading } from '../runtime/telemetry.js';
import type { GroupQueue } from '../store/delivery-store.js';
import type { StoreTime } from '../store/store-time.js';
import type { Stores } from '../store/stores.js';
import { type ConsumedTopics, consumerFor, lookupOf } from './consumer-for.js';
import type { ConsumerTiming } from './consumer-timing.js';
import type { DispatchTools } from './dispatch.js';
import { refuseDuplicate } from './duplicate-subscription.js';
import { groupLags } from './group-lags.js';
import { GrowthWatch } from './growth-watch.js';
import { Heartbeat } from './heartbeat.js';
import type { OrderedTiming } from './ordered/ordered-timing.js';
import { Orphans } from './orphans.js';
import { PauseWatch } from './pause-watch.js';
import { Puller } from './pull/puller.js';
import { TopicWatch } from './pattern/topic-watch.js';
import type { RunningSubscription } from './running-subscription.js';
import type { Subscription } from './subscription.js';
import { reclaimAll, takeOver } from './take-over.js';
import { WaitingWatch } from './waiting-watch.js';

export interface ConsumersOptions {
  /** Name of this process in every consumer group. */
  member: string;
  stores: Stores;
  topics: ConsumedTopics;
  tools: DispatchTools;
  storeTime: StoreTime;
  clock: Clock;
  events: Events;
  logger: Logger;
  timing: ConsumerTiming & { heartbeatMs: number; deadAfterMs: number };
  orderedTiming: OrderedTiming;
  onTrouble(doing: string, error: unknown): void;
}

const STARTED_AT_ONCE = 16;

/** The subscriptions of one process: started a few at a time, alive to others as one member, stopped together. */
export class Consumers {
  private readonly options: ConsumersOptions;
  private readonly heartbeat: Heartbeat;
  private readonly orphans: Orphans;
  private readonly watch: TopicWatch;
  private readonly pauses: PauseWatch;
  private readonly growth: GrowthWatch;
  private readonly waitingWatch: WaitingWatch;
  private readonly running: RunningSubscription[] = [];
  private isStopping = false;

  constructor(options: ConsumersOptions) {
    this.options = options;
    const { member, stores, storeTime, clock, timing, onTrouble } = options;
    this.heartbeat = new Heartbeat({
      member,
      members: stores.members,
      clock,
      storeTime,
      beatMs: timing.heartbeatMs,
      deadAfterMs: timing.deadAfterMs,
      takeOver: (dead) => this.takeOverFrom(dead),
      onLateBeat: () => this.running.forEach((each) => each.recheck()),
      onError: (error) => onTrouble('beat', error),
    });
    this.watch = new TopicWatch({
      registry: stores.topics,
      clock,
      onError: (error) => onTrouble('take new topics', error),
    });
    this.pauses = new PauseWatch({
      paused: stores.paused,
      clock,
      events: options.events,
      logger: options.logger,
      running: () => this.running,
      onError: (error) => onTrouble('ask which groups are paused', error),
    });
    this.growth = new GrowthWatch({
      registry: stores.topics,
      clock,
      subscriptions: () => this.running,
      onError: (error) => onTrouble('read the queues that were added', error),
    });
    this.waitingWatch = new WaitingWatch({
      deliveries: stores.deliveries,
      clock,
      pollMs: () => this.pollMs(),
      onError: (error) => onTrouble('ask what waits', error),
    });
    this.orphans = new Orphans({
      deliveries: stores.deliveries,
      clock,
      queues: () => this.queues(),
      unlisted: (names) => this.heartbeat.unlisted(names),
      takeOver: (dead) => this.takeOverFrom(dead),
      onError: (error) => onTrouble('look for deliveries that are nobody’s', error),
    });
  }

  get subscriptions(): readonly Subscription[] {
    return this.running.map(({ subscription }) => subscription);
  }

  /** @throws DuplicateSubscriptionError when there is one in the same group for a topic that would fit both. */
  add(subscription: Subscription): RunningSubscription {
    refuseDuplicate(subscription, this.subscriptions);
    const { watch, waitingWatch } = this;
    const shared = { watch, waitingWatch, pollMs: () => this.pollMs() };
    const made = consumerFor(subscription, { ...this.options, ...shared });
    this.running.push(made);
    return made;
  }

  /** Messages of this subscription are taken by hand. The group exists when this resolves. */
  async openPuller(subscription: Subscription): Promise<Puller> {
    const { topics, timing } = this.options;
    const { topic } = subscription;
    refuseDuplicate(subscription, this.subscriptions);
    const puller = new Puller({
      ...this.options,
      subscription,
      topic: lookupOf(topic, topics),
      swallowedAfterMs: timing.swallowedAfterMs,
      maxInHandBytes: timing.maxInHandBytes,
    });
    // Others may have to take over what a lost reply held.
    await this.heartbeat.start();
    this.growth.start();
    await puller.start();
    if (this.isStopping) throw new ClosedError('This process is stopping; nothing was received');
    this.running.push(puller);
    return puller;
  }

  /** How far their groups are behind. @throws when the store does not answer. */
  lags(): Promise<LagReading[]> {
    const { stores, topics } = this.options;
    return groupLags(this.running, { deliveries: stores.deliveries, topics });
  }

  /** Topics and groups in which this process consumes. */
  joined(): { topic: string; group: string }[] {
    return this.running
      .filter(({ isStarted }) => isStarted)
      .flatMap(({ topics, subscription: { group } }) => topics.map((topic) => ({ topic, group })));
  }

  /** What the user called the topic in the subscription that consumes it in this group. */
  declaredTopic(topic: string, group: string): string {
    const found = this.subscriptions.find(
      (each) => each.group === group && fitsTopic(each.topic, topic),
    );
    return found?.declared ?? topic;
  }

  /** Subscriptions of this topic (or pattern) and group. */
  of(topic: string, group: string): RunningSubscription[] {
    return this.running.filter(
      ({ subscription: each }) => each.topic === topic && each.group === group,
    );
  }

  /** Make every group known without reading yet. */
  async join(): Promise<void> {
    await Promise.all(this.running.map((each) => each.join()));
  }

  /** Begin to read for those that do not read yet. Every group exists when this resolves. */
  async startNew(): Promise<void> {
    const left = this.running.filter((each) => !each.isStarted);
    if (left.length === 0) return;
    await Promise.all([this.heartbeat.start(), this.pauses.start()]);
    this.growth.start();
    this.waitingWatch.start();
    // A few at a time: a thousand subscriptions neither queue up behind each other nor flood the store.
    await eachOf(left, {
      atOnce: STARTED_AT_ONCE,
      work: async (each) => {
        if (!this.isStopping) await each.start();
      },
    });
    if (!this.isStopping) this.orphans.search();
  }

  /** Read no more, let handlers end, settle: until the drain's time is up. */
  async stop(drain: Drain): Promise<void> {
    this.isStopping = true;
    const { logger, stores } = this.options;
    const watches = [this.watch, this.growth, this.waitingWatch];
    const watching = Promise.all(watches.map((each) => each.stop()));
    const left = await Promise.all(this.running.map((each) => each.stop(drain.timeUp)));
    await drain.within(
      Promise.all([watching, this.heartbeat.stop(), this.orphans.stop(), this.pauses.stop()]),
    );
    const isClean = left.every((nothingLeft) => nothingLeft);
    if (!isClean)
      logger.warn(
        `Not everything was settled within ${drain.drainMs} ms; it will be delivered again to others.`,
      );
    else if (this.running.length > 0 && stores.availability.ready)
      await drain.within(this.signOff());
  }

  /** Nothing is in our hands: no need for others to wait and wonder. A failure here costs only their patience. */
  private async signOff(): Promise<void> {
    const { member, stores, onTrouble } = this.options;
    try {
      // What is still in our name was in a reply that we never received.
      await Promise.all(this.queues().map((ref) => reclaimAll(member, ref, stores.deliveries)));
      await this.heartbeat.leave();
    } catch (error) {
      onTrouble('sign off', error);
    }
  }

  private async takeOverFrom(dead: string): Promise<boolean> {
    const { events, logger, stores } = this.options;
    let isComplete = true;
    for (const each of this.running) {
      const tools = { deliveries: stores.deliveries, events, logger };
      const report = await takeOver(dead, each.queues, tools);
      if (report.taken > 0) each.recheck();
      isComplete &&= report.isComplete;
    }
    return isComplete;
  }

  private queues(): GroupQueue[] {
    return this.running.flatMap(({ queues }) => queues);
  }

  /** How often all queues are asked about without a reason: at most fifty of them a second, however many there are. */
  private pollMs(): number {
    // Asked for each queue: a list of all of them would cost as much as the questions.
    const count = this.running.reduce((sum, { queues }) => sum + queues.length, 0);
    return Math.max(1_000, count * 20);
  }
}
