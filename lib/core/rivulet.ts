import { randomBytes } from 'node:crypto';
import { Consumer } from './consumer/consumer.js';
import { Heartbeat } from './consumer/heartbeat.js';
import { Orphans } from './consumer/orphans.js';
import { describeError } from './consumer/outcome.js';
import { replying } from './consumer/replying.js';
import { Responder } from './consumer/responder.js';
import {
  type Delivery,
  DuplicateSubscriptionError,
  type Subscription,
  subscription,
  type SubscriptionOptions,
} from './consumer/subscription.js';
import { reclaimAll, takeOver } from './consumer/take-over.js';
import { Codecs } from './message/codec.js';
import { AgendaLoop } from './producer/agenda-loop.js';
import { Producer } from './producer/producer.js';
import { Requester } from './producer/requester.js';
import { TopicDirectory } from './producer/topic-directory.js';
import { type Clock, systemClock } from './runtime/clock.js';
import { Drain } from './runtime/drain.js';
import { Events } from './runtime/events.js';
import { type Logger, silentLogger } from './runtime/logger.js';
import { Loop } from './runtime/loop.js';
import { TraceScope } from './runtime/trace.js';
import { type RivuletSettings, type RivuletSettingsInput, settingsFrom } from './settings.js';
import { StoreTime } from './store/store-time.js';
import type { Stores } from './store/stores.js';
import { Upkeep } from './upkeep.js';

export interface RivuletOptions {
  stores: Stores;
  settings?: RivuletSettingsInput;
  clock?: Clock;
  logger?: Logger;
}

export interface SubscribeOptions extends SubscriptionOptions {
  /** Answer requests with what the handler returns. Default false. */
  reply?: boolean;
}

/** A lost agenda makes nothing later than this; less often with more than six hundred queues. */
const ROUND_MS = 60_000;
const STARTED_AT_ONCE = 16;

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
  readonly topics: TopicDirectory;
  readonly storeTime: StoreTime;
  /** Name of this process in every consumer group: new with each start, so that nobody is taken for somebody else. */
  readonly member = `m-${randomBytes(9).toString('base64url')}`;
  readonly clock: Clock;
  private readonly logger: Logger;
  private readonly codecs: Codecs;
  private readonly trace = new TraceScope();
  private readonly agenda: AgendaLoop;
  private readonly rounds: Loop;
  private readonly upkeep: Upkeep;
  private readonly heartbeat: Heartbeat;
  private readonly orphans: Orphans;
  private readonly consumers: Consumer[] = [];
  private opening: Promise<void> | undefined;
  private consuming: Promise<void> | undefined;
  private drain: Drain | undefined;
  private quiet: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;
  private stopWatching: () => void = () => {};

  constructor(options: RivuletOptions) {
    const { stores, clock = systemClock, logger = silentLogger } = options;
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
    this.upkeep = new Upkeep({ stores, events: this.events, storeTime: this.storeTime });
    this.agenda = new AgendaLoop({
      agenda: stores.agenda,
      clock,
      storeTime: this.storeTime,
      perform: (work) => this.upkeep.perform(work),
      onError: (error) => this.trouble('do what is due', error),
    });
    this.upkeep.noteWith((work, at) => this.agenda.note(work, at));
    this.rounds = new Loop({
      name: 'rounds',
      clock,
      step: () => Promise.resolve(this.lookAround()),
      onError: (error) => this.trouble('look after topics', error),
    });
    this.producer = new Producer({
      log: this.upkeep.watched(stores.log),
      topics: this.topics,
      codecs: this.codecs,
      clock,
      events: this.events,
      trace: this.trace,
      settings: settings.producer,
    });
    this.requester = new Requester({
      producer: this.producer,
      replies: stores.replies,
      codecs: this.codecs,
      clock,
      timeoutMs: settings.requestTimeoutMs,
      onError: (error) => this.trouble('read replies', error),
    });
    this.heartbeat = new Heartbeat({
      member: this.member,
      members: stores.members,
      clock,
      storeTime: this.storeTime,
      beatMs: settings.heartbeatMs,
      deadAfterMs: settings.deadAfterMs,
      takeOver: (member) => this.takeOverFrom(member),
      onLateBeat: () => this.consumers.forEach((consumer) => consumer.recheck()),
      onError: (error) => this.trouble('beat', error),
    });
    this.orphans = new Orphans({
      deliveries: stores.deliveries,
      clock,
      unlisted: (names) => this.heartbeat.unlisted(names),
      takeOver: (member) => this.takeOverFrom(member),
      onError: (error) => this.trouble('look for deliveries that are nobody’s', error),
    });
  }

  /** Subscriptions made so far. */
  get subscriptions(): readonly Subscription[] {
    return this.consumers.map((consumer) => consumer.subscription);
  }

  /**
   * A handler for a topic's messages in a consumer group. Reading begins with the next `consume`.
   *
   * @throws InvalidOptionsError, or DuplicateSubscriptionError when this instance has one for the same topic and group.
   */
  subscribe(options: SubscribeOptions): Consumer {
    const handler = options.reply
      ? replying(options.handler, (delivery) => this.responder(delivery))
      : options.handler;
    const made = subscription({ ...options, handler });
    const twin = this.consumers.find(
      ({ subscription: other }) => other.topic === made.topic && other.group === made.group,
    );
    if (twin) throw new DuplicateSubscriptionError(twin.subscription, made);
    const { stores, clock, events, logger, settings, member } = this;
    const consumer = new Consumer({
      subscription: made,
      member,
      stores,
      tools: { codecs: this.codecs, trace: this.trace, storeNow: () => this.storeTime.now() },
      clock,
      events,
      logger,
      timing: settings.consumer,
      pollMs: () => this.pollMs(),
      lookUpTopic: () => this.topics.refresh(made.topic),
    });
    this.consumers.push(consumer);
    return consumer;
  }

  /** The way to answer a delivery that is a request. */
  responder(delivery: Delivery): Responder {
    return new Responder({
      message: delivery.message,
      replies: this.stores.replies,
      codecs: this.codecs,
      clock: this.clock,
      onError: (error) => this.trouble('reply', error),
    });
  }

  /** Connect, and release what is scheduled. Sends before that wait. @throws when the store is not there in time. */
  open(timeoutMs = 10_000): Promise<void> {
    this.opening ??= this.stores.open(timeoutMs).then(
      () => {
        this.stopWatching = this.stores.availability.onChange((ready, error) =>
          this.tellConnection(ready ? 'ready' : 'lost', error),
        );
        this.tellConnection('ready');
        if (this.drain) return;
        this.agenda.start();
        this.rounds.start();
      },
      (error: unknown) => {
        // The next call tries again.
        this.opening = undefined;
        throw error;
      },
    );
    return this.opening;
  }

  /**
   * Begin to read for every subscription made so far. Every group exists when this resolves. Call it again after a
   * failure, or for subscriptions made since.
   */
  consume(): Promise<void> {
    const before = this.consuming?.catch(() => undefined) ?? Promise.resolve();
    this.consuming = before.then(() => this.consumeNew());
    return this.consuming;
  }

  /** Make every group known without reading yet: a group that begins at the latest message gets what is sent from now. */
  async joinGroups(): Promise<void> {
    await this.open();
    await Promise.all(
      this.consumers.map(async (consumer) => {
        await this.topics.get(consumer.subscription.topic);
        await consumer.join();
      }),
    );
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
   * Stop, in order: no more reads → handlers end and are settled → confirms of what was sent → connections. Never
   * takes longer than `drainMs`, also when the store is down. Safe to repeat.
   */
  stop(drainMs = this.settings.drainMs): Promise<void> {
    this.stopping ??= this.stopConsuming(drainMs).then(() => this.disconnect(this.drain!));
    return this.stopping;
  }

  private async consumeNew(): Promise<void> {
    await this.open();
    const left = this.consumers.filter((consumer) => consumer.queues.length === 0);
    if (left.length === 0) return;
    await this.heartbeat.start();
    // A few at a time: a thousand subscriptions neither queue up behind each other nor flood the store.
    const starter = async (): Promise<void> => {
      for (let next = left.shift(); next && !this.drain; next = left.shift())
        await next.start(await this.topics.get(next.subscription.topic));
    };
    const ends = await Promise.allSettled(Array.from({ length: STARTED_AT_ONCE }, starter));
    // Not before all have ended: one that still starts when `consume` is called again would be started twice.
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
    if (!this.drain) this.orphans.searchIn(this.consumers.flatMap((consumer) => consumer.queues));
  }

  private async quieten(drain: Drain): Promise<void> {
    const left = await Promise.all(this.consumers.map((consumer) => consumer.stop(drain.timeUp)));
    await drain.within(Promise.all([this.heartbeat.stop(), this.orphans.stop()]));
    const isClean = left.every((nothingLeft) => nothingLeft);
    if (!isClean)
      this.logger.warn(
        `Not everything was settled within ${drain.drainMs} ms; it will be delivered again to others.`,
      );
    else if (this.consumers.length > 0 && this.stores.availability.ready)
      await drain.within(this.signOff());
  }

  private async disconnect(drain: Drain): Promise<void> {
    await drain.within(this.requester.close());
    await this.producer.close(drain.timeUp);
    await drain.within(Promise.all([this.agenda.stop(), this.rounds.stop()]));
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

  /** Nothing is in our hands: no need for others to wait and wonder. A failure here costs only their patience. */
  private async signOff(): Promise<void> {
    try {
      const refs = this.consumers.flatMap((consumer) => consumer.queues);
      // What is still in our name was in a reply that we never received.
      await Promise.all(refs.map((ref) => reclaimAll(this.member, ref, this.stores.deliveries)));
      await this.heartbeat.leave();
    } catch (error) {
      this.trouble('sign off', error);
    }
  }

  private async takeOverFrom(member: string): Promise<boolean> {
    const { events, logger } = this;
    let isComplete = true;
    for (const consumer of this.consumers) {
      const tools = { deliveries: this.stores.deliveries, events, logger };
      const report = await takeOver(member, consumer.queues, tools);
      if (report.taken > 0) consumer.recheck();
      isComplete &&= report.isComplete;
    }
    return isComplete;
  }

  /** What the agenda should know of the topics in use is noted again, in case the store lost it. @returns the pause. */
  private lookAround(): number {
    const topics = this.topics.all();
    for (const info of topics) this.upkeep.look(info);
    const queues = topics.reduce((sum, info) => sum + info.queues, 0);
    return Math.max(ROUND_MS, queues * 100);
  }

  /** Asking every queue without a reason stays below fifty questions a second, however many queues there are. */
  private pollMs(): number {
    const queues = this.consumers.reduce((sum, consumer) => sum + consumer.queues.length, 0);
    return Math.max(1_000, queues * 20);
  }

  private trouble(doing: string, error: unknown): void {
    this.logger.warn(`Could not ${doing}: ${describeError(error)}. Trying again.`);
  }
}
