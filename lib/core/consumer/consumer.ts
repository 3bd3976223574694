import type { QueueFaultedError } from '../message/errors.js';
import type { Clock } from '../runtime/clock.js';
import { orAborted } from '../runtime/drain.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { DeliveredEntry, GroupQueue } from '../store/delivery-store.js';
import type { Stores } from '../store/stores.js';
import type { ConsumerTiming } from './consumer-timing.js';
import { DeliveryRunner } from './delivery-runner.js';
import type { DispatchTools } from './dispatch.js';
import { GroupRegistration, type TopicLookup } from './group-registration.js';
import { Reporter } from './reporter.js';
import type { PauseReason, RunningSubscription } from './running-subscription.js';
import type { Subscription } from './subscription.js';
import { type FetchedTopic, TopicFetch } from './topic-fetch.js';
import { Visibility } from './visibility.js';
import { WaitingDeliveries } from './waiting-deliveries.js';
import type { WaitingWatch } from './waiting-watch.js';

export interface ConsumerOptions {
  subscription: Subscription;
  /** Name of this process in every consumer group. */
  member: string;
  stores: Stores;
  tools: DispatchTools;
  clock: Clock;
  events: Events;
  logger: Logger;
  timing: ConsumerTiming;
  onTrouble(doing: string, error: unknown): void;
  waitingWatch: WaitingWatch;
  /** Shared by the topics of one subscription: who gives it starts and stops it. By default this consumer has its own. */
  fetch?: TopicFetch;
  topic: TopicLookup;
}

/** One subscription at work: its group is joined, and what is fetched for it goes through a runner. Unordered. */
export class Consumer implements RunningSubscription, FetchedTopic {
  readonly subscription: Subscription;
  private readonly options: ConsumerOptions;
  private readonly fetch: TopicFetch;
  private readonly reporter: Reporter;
  private readonly registration: GroupRegistration;
  readonly refs: GroupQueue[] = [];
  private runner: DeliveryRunner | undefined;
  private waiting: WaitingDeliveries | undefined;
  private visibility: Visibility | undefined;
  private stopped = false;

  constructor(options: ConsumerOptions) {
    this.options = options;
    this.subscription = options.subscription;
    this.reporter = new Reporter(options);
    this.fetch = options.fetch ?? this.ownFetch();
    this.registration = new GroupRegistration({
      ...options,
      mode: 'unordered',
      reader: options.member,
    });
  }

  get queues(): readonly GroupQueue[] {
    return this.refs;
  }

  get topics(): readonly string[] {
    return [this.subscription.topic];
  }

  get isStarted(): boolean {
    return this.refs.length > 0;
  }

  async start(): Promise<void> {
    const { stores, clock, member, tools } = this.options;
    const { topic, group } = this.subscription;
    const { queues } = await this.registration.join();
    // Stopped while the store was asked: nothing of this subscription may begin to run.
    if (this.stopped) return;
    for (let queue = 0; queue < queues; queue++) this.refs.push({ topic, queue, group });
    this.runner = new DeliveryRunner({
      subscription: this.subscription,
      refs: this.refs,
      member,
      deliveries: stores.deliveries,
      tools,
      clock,
      intake: this.fetch.intake,
      reporter: this.reporter,
      onWaiting: (queue, delayMs) => this.waiting!.expect(queue, delayMs),
    });
    this.startVisibility(this.runner);
    this.startWaiting(this.runner);
    this.fetch.add(this);
    if (!this.options.fetch) this.fetch.start();
  }

  isStuck(queue: number): boolean {
    return this.runner?.isStuck(queue) ?? true;
  }

  get overdue(): boolean {
    return this.waiting?.overdue ?? false;
  }

  handBack(): void {
    this.runner?.handBack();
  }

  flushSettles(): void {
    this.runner?.flushSettles();
  }

  accept(entries: readonly DeliveredEntry[]): void {
    this.runner?.accept(entries);
  }

  suspectLoss(): void {
    this.visibility?.suspectLoss();
  }

  pause(why: PauseReason): void {
    this.fetch.pause(why);
  }

  resume(why: PauseReason): void {
    this.fetch.resume(why);
  }

  async growTo(topic: string, queues: number): Promise<void> {
    if (topic !== this.subscription.topic || queues <= this.refs.length) return;
    if (!this.isStarted || this.stopped) return;
    this.take((await this.registration.joinAgain(this.refs)).queues);
  }

  /** So many queues there are now: what is new to this process is read, too. */
  private take(queues: number): void {
    const { topic, group } = this.subscription;
    for (let queue = this.refs.length; queue < queues; queue++) {
      const ref = { topic, queue, group };
      this.runner?.addQueue(ref);
      this.waiting?.addQueue();
      this.refs.push(ref);
    }
  }

  recheck(): void {
    this.visibility?.renewNow();
    for (const { queue } of this.refs) this.waiting?.expect(queue, 0);
  }

  /** What still runs when `timeUp` aborts stays pending for others; the same goes for settles the store does not take. */
  async stop(timeUp: AbortSignal): Promise<boolean> {
    this.stopped = true;
    const isShared = this.options.fetch !== undefined;
    if (isShared) this.fetch.remove(this);
    const fetched = isShared ? undefined : this.fetch.stop();
    // A store that does not answer must not hold up a shutdown: these end with the connection at the latest.
    await orAborted(Promise.all([fetched, this.waiting?.stop(), this.visibility?.stop()]), timeUp);
    const isClean = (await this.runner?.drain(timeUp)) ?? true;
    if (!isShared) this.fetch.close();
    return isClean;
  }

  async join(): Promise<void> {
    await this.registration.join();
  }

  private ownFetch(): TopicFetch {
    const { stores, member } = this.options;
    const reader = stores.deliveries.openReader(this.subscription.group, member);
    return new TopicFetch({ ...this.options, reader, reporter: this.reporter });
  }

  private startWaiting(runner: DeliveryRunner): void {
    const { stores, clock, member } = this.options;
    const { capacity, budget } = this.fetch.intake;
    this.waiting = new WaitingDeliveries({
      refs: this.refs,
      consumer: member,
      deliveries: stores.deliveries,
      clock,
      capacity,
      watch: this.options.waitingWatch,
      fits: () => budget.room,
      accept: (entries) => runner.accept(entries),
      isStuck: (queue) => runner.isStuck(queue),
      runAlone: (entry) => runner.runAlone(entry),
      afterSuspects: () => capacity.serve(),
      onError: (error) => {
        this.visibility!.suspectLoss();
        this.reporter.trouble('claim what is due', error);
      },
    });
    this.waiting.start();
  }

  private startVisibility(runner: DeliveryRunner): void {
    const { stores, clock, member, timing, events } = this.options;
    const { topic, group } = this.subscription;
    this.visibility = new Visibility({
      refs: this.refs,
      consumer: member,
      deliveries: stores.deliveries,
      clock,
      renewMs: timing.renewMs,
      swallowedAfterMs: timing.swallowedAfterMs,
      inHand: (queue) => runner.running(queue),
      heldBesides: (queue) => runner.heldBesides(queue),
      onLost: (attempt) => runner.lose(attempt),
      onReleased: (queue, count) => {
        events.emit('reclaimed', { topic, queue, group, consumer: member, count });
        this.waiting?.expect(queue, 0);
      },
      onError: (error) => this.reporter.trouble('renew', error),
    });
    this.visibility.start();
  }

  async onFault(fault: QueueFaultedError): Promise<number> {
    const { timing, events } = this.options;
    const { topic, group } = this.subscription;
    if (fault.fault === 'no-group') {
      const { queues } = await this.registration.joinAgain(this.refs);
      // A topic that was made anew may have more queues, or fewer: then nothing will come from this one.
      this.take(queues);
      if (fault.queue < queues) return 0;
    }
    events.emit('queue-faulted', { topic, queue: fault.queue, group, error: fault });
    this.reporter.trouble(
      `read queue ${fault.queue} (left out for ${timing.quarantineMs} ms)`,
      fault,
    );
    return timing.quarantineMs;
  }
}
