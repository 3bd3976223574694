import { randomBytes } from 'node:crypto';
import { Consumers } from './consumer/consumers.js';
import { describeError } from './consumer/outcome.js';
import { Pulls } from './consumer/pull/pulls.js';
import type { RunningSubscription } from './consumer/running-subscription.js';
import type { Responder } from './consumer/responder.js';
import type { Delivery, Subscription } from './consumer/subscription.js';
import { HealthWatch } from './health-watch.js';
import { Codecs } from './message/codec.js';
import { Producer } from './producer/producer.js';
import { type NextRun, RecurringSends } from './producer/recurring-sends.js';
import { Requester } from './producer/requester.js';
import { SubscribedGroups } from './producer/subscribed-groups.js';
import { TopicDirectory } from './producer/topic-directory.js';
import { type Clock, systemClock } from './runtime/clock.js';
import { Drain } from './runtime/drain.js';
import { Events } from './runtime/events.js';
import { type Logger, silentLogger, steadyLogger } from './runtime/logger.js';
import { TraceScope } from './runtime/trace.js';
import { type RivuletSettings, type RivuletSettingsInput, settingsFrom } from './settings.js';
import { StoreTime } from './store/store-time.js';
import type { Stores } from './store/stores.js';
import type { CheckMethods } from './transaction/check-methods.js';
import type { HalfFirst } from './transaction/half-first.js';
import {
  type SubscribeBatchOptions,
  type SubscribeOptions,
  Subscriptions,
} from './subscriptions.js';
import { TransactionSupport } from './transaction/transaction-support.js';
import type { Transactions } from './transaction/transactions.js';
import { Upkeep } from './upkeep.js';

export interface RivuletOptions {
  stores: Stores;
  settings?: RivuletSettingsInput;
  clock?: Clock;
  logger?: Logger;
  /** Reads cron expressions, for recurring sends. */
  nextRun?: NextRun;
}

/**
 * Sending and consuming over one set of stores: starts everything, and stops everything in order.
 *
 * Subscriptions are made first and begin to read with `consume`. Nothing here is static: any number of instances
 * live side by side in one process.
 */
export class Rivulet {
  readonly stores: Stores;
  readonly settings: RivuletSettings;
  readonly events: Events;
  readonly producer: Producer;
  readonly requester: Requester;
  readonly recurring: RecurringSends;
  readonly topics: TopicDirectory;
  readonly storeTime: StoreTime;
  /** Messages taken by hand, with receipts, instead of handled. */
  readonly pulls: Pulls;
  /** Name of this process in every consumer group: new with each start, so that nobody is taken for somebody else. */
  readonly member = `m-${randomBytes(9).toString('base64url')}`;
  readonly clock: Clock;
  private readonly logger: Logger;
  private readonly codecs: Codecs;
  private readonly trace = new TraceScope();
  private readonly upkeep: Upkeep;
  private readonly health: HealthWatch;
  private readonly support: TransactionSupport;
  private readonly consumers: Consumers;
  private readonly making: Subscriptions;
  private opening: Promise<void> | undefined;
  private connecting: Promise<void> | undefined;
  private consuming: Promise<void> | undefined;
  private drain: Drain | undefined;
  private quiet: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;
  private stopWatching: () => void = () => {};

  constructor(options: RivuletOptions) {
    const { stores, clock = systemClock } = options;
    const logger = steadyLogger(options.logger ?? silentLogger);
    this.stores = stores;
    this.clock = clock;
    this.logger = logger;
    this.settings = settingsFrom(options.settings ?? {});
    const { settings } = this;
    this.events = new Events({ logger });
    this.codecs = new Codecs({
      ...(settings.codec && { preferred: settings.codec }),
      others: settings.codecs,
    });
    this.storeTime = new StoreTime({ clock });
    this.topics = new TopicDirectory({
      registry: stores.topics,
      autoCreate: settings.autoCreateTopics,
      defaults: settings.topics,
      onKnown: (info) => this.upkeep.look(info),
    });
    this.health = new HealthWatch({
      health: () => stores.health(),
      clock,
      events: this.events,
      logger,
    });
    this.upkeep = new Upkeep({
      stores,
      clock,
      events: this.events,
      storeTime: this.storeTime,
      recurring: {
        fire: (name) => this.recurring.fire(name),
        noteAll: () => this.recurring.noteAll(),
      },
      topicsInUse: () => this.topics.all(),
      onTrouble: (doing, error) => this.trouble(doing, error),
    });
    this.support = new TransactionSupport({
      stores,
      topics: this.topics,
      producer: () => this.producer,
      codecs: this.codecs,
      storeTime: this.storeTime,
      clock,
      events: this.events,
      logger,
      settings,
      noteRelease: (queue, at) => this.upkeep.noteRelease(queue, at),
      onTrouble: (doing, error) => this.trouble(doing, error),
    });
    this.producer = new Producer({
      enlistment: () => this.transactions.enlistment(),
      log: this.upkeep.watched(stores.log),
      topics: this.topics,
      groups: new SubscribedGroups({ registry: stores.topics, clock }),
      codecs: this.codecs,
      clock,
      events: this.events,
      trace: this.trace,
      settings: settings.producer,
    });
    this.recurring = new RecurringSends({
      store: stores.recurring,
      producer: this.producer,
      storeTime: this.storeTime,
      nextRun: options.nextRun,
      note: (name, at) => this.upkeep.noteRecurring(name, at),
    });
    this.requester = new Requester({
      producer: this.producer,
      replies: stores.replies,
      codecs: this.codecs,
      clock,
      timeoutMs: settings.requestTimeoutMs,
      onError: (error) => this.trouble('read replies', error),
    });
    this.consumers = new Consumers({
      member: this.member,
      stores,
      topics: this.topics,
      tools: {
        codecs: this.codecs,
        trace: this.trace,
        storeNow: () => this.storeTime.now(),
      },
      storeTime: this.storeTime,
      clock,
      events: this.events,
      logger,
      timing: {
        ...settings.consumer,
        heartbeatMs: settings.heartbeatMs,
        deadAfterMs: settings.deadAfterMs,
      },
      orderedTiming: settings.ordered,
      onTrouble: (doing, error) => this.trouble(doing, error),
    });
    this.making = new Subscriptions({
      consumers: this.consumers,
      transactions: this.transactions,
      stores,
      codecs: this.codecs,
      clock,
      events: this.events,
      logger,
      settings,
      onTrouble: (doing, error) => this.trouble(doing, error),
    });
    this.pulls = new Pulls({
      member: this.member,
      deliveries: stores.deliveries,
      clock,
      events: this.events,
      open: async (made) => {
        await this.open();
        return this.consumers.openPuller(made);
      },
    });
  }

  /** Database transactions and the messages sent in them. */
  get transactions(): Transactions {
    return this.support.transactions;
  }

  /** Transactions without a database. */
  get halfFirst(): HalfFirst {
    return this.support.halfFirst;
  }

  /** Who answers for those. */
  get checks(): CheckMethods {
    return this.support.checks;
  }

  /** Subscriptions made so far. */
  get subscriptions(): readonly Subscription[] {
    return this.consumers.subscriptions;
  }

  /**
   * A handler for a topic's messages in a consumer group. Reading begins with the next `consume`.
   *
   * @throws InvalidOptionsError, or DuplicateSubscriptionError when this instance has one for the same topic and group.
   */
  subscribe(options: SubscribeOptions): RunningSubscription {
    return this.making.add(options);
  }

  /**
   * A handler for many messages at a time. Each is settled, retried and dead-lettered by itself. Otherwise as
   * `subscribe`.
   */
  subscribeBatch(options: SubscribeBatchOptions): RunningSubscription {
    return this.making.addBatch(options);
  }

  /**
   * Start no handler of this subscription in this process until `resume`; other processes go on. A subscription to a
   * pattern is paused as a whole, by its pattern. Safe to repeat.
   *
   * @throws InvalidInputError when this process has no such subscription.
   */
  pause(topic: string, group: string): void {
    for (const each of this.making.of(topic, group)) each.pause();
  }

  /** Safe to repeat. @throws InvalidInputError as `pause` does. */
  resume(topic: string, group: string): void {
    for (const each of this.making.of(topic, group)) each.resume();
  }

  /** The way to answer a delivery that is a request. */
  responder(delivery: Delivery): Responder {
    return this.making.responder(delivery);
  }

  /**
   * Connect, release what is scheduled, and make databases ready for transactions. Sends before that wait.
   *
   * @throws when the store is not there in time, or a database is not ready.
   */
  open(timeoutMs = 10_000): Promise<void> {
    this.opening ??= this.openAll(timeoutMs).catch((error: unknown) => {
      // The next call tries again.
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  /**
   * Begin to read for every subscription made so far. Every group exists when this resolves. Call it again after a
   * failure, or for subscriptions made since.
   */
  consume(): Promise<void> {
    const before = this.consuming?.catch(() => undefined) ?? Promise.resolve();
    this.consuming = before.then(async () => {
      await this.open();
      await this.consumers.startNew();
    });
    return this.consuming;
  }

  /** Make every group known without reading yet: a group that begins at the latest message gets what is sent from now. */
  async joinGroups(): Promise<void> {
    await this.open();
    await this.consumers.join();
  }

  /**
   * Read no more, let handlers end, settle. Sending goes on. From the first call on, this and `stop` together take
   * no longer than `drainMs`, also when the store is down. Safe to repeat.
   */
  stopConsuming(drainMs = this.settings.drainMs): Promise<void> {
    this.drain ??= new Drain({ clock: this.clock, drainMs });
    this.quiet ??= this.quieten(this.drain);
    return this.quiet;
  }

  /**
   * Stop, in order: no more reads → handlers end and are settled → transactions → confirms of what was sent → connections. Never
   * takes longer than `drainMs`, also when the store is down. Safe to repeat.
   */
  stop(drainMs = this.settings.drainMs): Promise<void> {
    this.stopping ??= this.stopConsuming(drainMs).then(() => this.disconnect(this.drain!));
    return this.stopping;
  }

  private async quieten(drain: Drain): Promise<void> {
    const checks = drain.within(this.support.stopChecks());
    await this.consumers.stop(drain).finally(() => this.making.stop());
    await checks;
  }

  private async openAll(timeoutMs: number): Promise<void> {
    await Promise.all([this.connect(timeoutMs), this.support.prepare()]);
    if (!this.drain) this.support.start();
  }

  private connect(timeoutMs: number): Promise<void> {
    this.connecting ??= this.stores.open(timeoutMs).then(
      () => {
        this.stopWatching = this.stores.availability.onChange((ready, error) =>
          this.tellConnection(ready ? 'ready' : 'lost', error),
        );
        this.tellConnection('ready');
        if (this.drain) return;
        this.upkeep.start();
        this.health.start();
      },
      (error: unknown) => {
        this.connecting = undefined;
        throw error;
      },
    );
    return this.connecting;
  }

  private async disconnect(drain: Drain): Promise<void> {
    await this.support.close(drain.timeUp);
    await drain.within(this.requester.close());
    await this.producer.close(drain.timeUp);
    await drain.within(Promise.all([this.upkeep.stop(), this.health.stop()]));
    drain.end();
    // A connection that is closed on purpose is not lost.
    this.stopWatching();
    await this.stores.close();
    // What was still starting ends with the connection; its failure was meant.
    await this.consuming?.catch(() => undefined);
    this.tellConnection('closed');
  }

  private tellConnection(state: 'ready' | 'lost' | 'closed', error?: Error): void {
    this.events.emit('connection', { name: 'store', state, error });
  }

  private trouble(doing: string, error: unknown): void {
    this.logger.warn(`Could not ${doing}: ${describeError(error)}. Trying again.`);
  }
}
