import type { RunningSubscription } from './consumer/running-subscription.js';
import type { Pulls } from './consumer/pull/pulls.js';
import type { Responder } from './consumer/responder.js';
import type { Delivery, Subscription } from './consumer/subscription.js';
import { onceThere } from './once-there.js';
import { makeParts, type Parts, type RivuletOptions } from './parts.js';
import type { Producer } from './producer/producer.js';
import type { RecurringSends } from './producer/recurring-sends.js';
import type { Requester } from './producer/requester.js';
import type { TopicDirectory } from './producer/topic-directory.js';
import type { Clock } from './runtime/clock.js';
import { Drain } from './runtime/drain.js';
import type { Events } from './runtime/events.js';
import { CONNECT_TIMEOUT_MS, type RivuletSettings } from './settings.js';
import type { StoreTime } from './store/store-time.js';
import type { Stores } from './store/stores.js';
import type { SubscribeBatchOptions, SubscribeOptions } from './subscriptions.js';
import type { CheckMethods } from './transaction/check-methods.js';
import type { HalfFirst } from './transaction/half-first.js';
import type { MessageSets } from './transaction/message-sets.js';
import type { Transactions } from './transaction/transactions.js';

/**
 * Sending and consuming over one set of stores: starts everything, and stops everything in order.
 *
 * Subscriptions are made first and begin to read with `consume`. Nothing here is static: any number of instances
 * live side by side in one process.
 */
export class Rivulet {
  readonly stores: Stores;
  readonly settings: RivuletSettings;
  readonly clock: Clock;
  readonly events: Events;
  readonly producer: Producer;
  readonly requester: Requester;
  readonly recurring: RecurringSends;
  readonly topics: TopicDirectory;
  readonly storeTime: StoreTime;
  /** Messages taken by hand, with receipts, instead of handled. */
  readonly pulls: Pulls;
  /** Name of this process in every consumer group: new with each start, so that nobody is taken for somebody else. */
  readonly member: string;
  private readonly parts: Parts;
  private opening: Promise<void> | undefined;
  private connecting: Promise<void> | undefined;
  private consuming: Promise<void> | undefined;
  private drain: Drain | undefined;
  private readonly ending = new AbortController();
  private quiet: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;
  private stopWatching: () => void = () => {};
  private stopMeasuring: () => void = () => {};

  constructor(options: RivuletOptions) {
    const parts = makeParts(options, { open: () => this.open() });
    this.parts = parts;
    this.stores = parts.stores;
    this.settings = parts.settings;
    this.clock = parts.clock;
    this.events = parts.events;
    this.producer = parts.producer;
    this.requester = parts.requester;
    this.recurring = parts.recurring;
    this.topics = parts.topics;
    this.storeTime = parts.storeTime;
    this.pulls = parts.pulls;
    this.member = parts.member;
  }

  /** Database transactions and the messages sent in them. */
  get transactions(): Transactions {
    return this.parts.support.transactions;
  }

  /** Transactions without a database. */
  get halfFirst(): HalfFirst {
    return this.parts.support.halfFirst;
  }

  /** Messages to several topics, all or nothing. */
  get sets(): MessageSets {
    return this.parts.support.sets;
  }

  /** Who answers for those. */
  get checks(): CheckMethods {
    return this.parts.support.checks;
  }

  /** Subscriptions made so far. */
  get subscriptions(): readonly Subscription[] {
    return this.parts.consumers.subscriptions;
  }

  /**
   * A handler for a topic's messages in a consumer group. Reading begins with the next `consume`.
   *
   * @throws InvalidOptionsError, or DuplicateSubscriptionError when this instance has one for the same topic and group.
   */
  subscribe(options: SubscribeOptions): RunningSubscription {
    return this.parts.making.add(options);
  }

  /**
   * A handler for many messages at a time. Each is settled, retried and dead-lettered by itself. Otherwise as
   * `subscribe`.
   */
  subscribeBatch(options: SubscribeBatchOptions): RunningSubscription {
    return this.parts.making.addBatch(options);
  }

  /**
   * Start no handler of this subscription in this process until `resume`; other processes go on. A subscription to a
   * pattern is paused as a whole, by its pattern. Safe to repeat.
   *
   * @throws InvalidInputError when this process has no such subscription.
   */
  pause(topic: string, group: string): void {
    for (const each of this.parts.making.of(topic, group)) each.pause('here');
  }

  /** Safe to repeat. @throws InvalidInputError as `pause` does. */
  resume(topic: string, group: string): void {
    for (const each of this.parts.making.of(topic, group)) each.resume('here');
  }

  /** The way to answer a delivery that is a request. */
  responder(delivery: Delivery): Responder {
    return this.parts.making.responder(delivery);
  }

  /**
   * Connect, release what is scheduled, and make databases ready for transactions. Sends before that wait.
   *
   * @throws when the store is not there within `timeoutMs` (default 10 000), or a database is not ready.
   */
  open(timeoutMs = CONNECT_TIMEOUT_MS): Promise<void> {
    this.opening ??= this.openAll(timeoutMs).catch((error: unknown) => {
      // The next call tries again.
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  /**
   * Begin to read for every subscription made so far. Every group exists when this resolves. A connection that breaks
   * meanwhile, or a failover, is waited for. Call it again after a failure, or for subscriptions made since.
   *
   * @throws StoreUnavailableError when the store stays away for `timeoutMs`; at once what it refuses.
   */
  consume(timeoutMs = CONNECT_TIMEOUT_MS): Promise<void> {
    const before = this.consuming?.catch(() => undefined) ?? Promise.resolve();
    this.consuming = before.then(() =>
      this.onceOpen(timeoutMs, () => this.parts.consumers.startNew()),
    );
    return this.consuming;
  }

  /**
   * Make every group known without reading yet: a group that begins at the latest message gets what is sent from now. Waits and
   * throws as `consume` does.
   */
  async joinGroups(timeoutMs = CONNECT_TIMEOUT_MS): Promise<void> {
    await this.onceOpen(timeoutMs, () => this.parts.consumers.join());
  }

  /**
   * Read no more, let handlers end, settle. Sending goes on. From the first call on, this and `stop` together take
   * no longer than `drainMs`, also when the store is down. Safe to repeat.
   */
  stopConsuming(drainMs = this.settings.drainMs): Promise<void> {
    this.drain ??= new Drain({ clock: this.clock, drainMs });
    this.ending.abort();
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

  /**
   * From now on whoever waits for an answer or a receipt waits no longer than `drainMs`, counted from `stopConsuming`; then it
   * hears that none will come (ClosedError). An HTTP server that closes before `stop` waits for them. Safe to repeat.
   */
  endAnswersInTime(): void {
    const timeUp = this.drain?.timeUp;
    if (timeUp?.aborted) void this.closeAnswers();
    else timeUp?.addEventListener('abort', () => void this.closeAnswers(), { once: true });
  }

  /** Whether `stop` was called: it does not begin again. */
  get isStopping(): boolean {
    return this.stopping !== undefined;
  }

  private onceOpen(timeoutMs: number, begin: () => Promise<void>): Promise<void> {
    const { clock, ending } = this;
    return onceThere(
      async (leftMs) => {
        await this.open(leftMs);
        await begin();
      },
      { clock, timeoutMs, signal: ending.signal },
    );
  }

  private async quieten(drain: Drain): Promise<void> {
    const checks = drain.within(this.parts.support.stopChecks());
    await this.parts.consumers.stop(drain).finally(() => this.parts.making.stop());
    await checks;
  }

  private async openAll(timeoutMs: number): Promise<void> {
    await Promise.all([this.connect(timeoutMs), this.parts.support.prepare()]);
    if (!this.drain) this.parts.support.start();
  }

  private connect(timeoutMs: number): Promise<void> {
    this.connecting ??= this.stores.open(timeoutMs, this.settings.producer).then(
      () => {
        const stopTelling = this.parts.troubles.watch();
        const stopEvents = this.stores.availability.onChange((ready, error) =>
          this.tellConnection(ready ? 'ready' : 'lost', error),
        );
        this.stopWatching = () => {
          stopTelling();
          stopEvents();
        };
        this.tellConnection('ready');
        if (this.drain) return;
        this.stopMeasuring = this.measure();
        this.parts.upkeep.start();
        this.parts.idleGroups.start();
        this.parts.health.start();
      },
      (error: unknown) => {
        this.connecting = undefined;
        throw error;
      },
    );
    return this.connecting;
  }

  private measure(): () => void {
    const { telemetry, consumers, producer, events } = this.parts;
    if (!telemetry) return () => {};
    return telemetry.measure({
      events,
      lags: () => consumers.lags(),
      buffered: () => producer.held.messages,
      declaredTopic: (topic, group) => consumers.declaredTopic(topic, group),
    });
  }

  private async closeAnswers(): Promise<void> {
    await Promise.all([this.requester.close(), this.parts.receipts.close()]);
  }

  private async disconnect(drain: Drain): Promise<void> {
    await this.parts.support.close(drain.timeUp);
    await drain.within(this.closeAnswers());
    await this.producer.close(drain.timeUp);
    const { upkeep, health, idleGroups } = this.parts;
    await drain.within(Promise.all([upkeep.stop(), health.stop(), idleGroups.stop()]));
    drain.end();
    this.stopMeasuring();
    // A connection that is closed on purpose is not lost.
    this.stopWatching();
    await this.stores.close();
    // What was still starting ends with the connection; its failure was meant.
    await this.consuming?.catch(() => undefined);
    this.tellConnection('closed');
    this.parts.trace.close();
    this.transactions.forget();
  }

  private tellConnection(state: 'ready' | 'lost' | 'closed', error?: Error): void {
    this.events.emit('connection', { name: 'store', state, error });
  }
}
