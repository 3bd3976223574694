import type { Delivery, Handler } from '../core/consumer/subscription.js';
import { InvalidOptionsError } from '../core/message/errors.js';
import { given, unknownOptions } from '../core/message/options.js';
import { Codecs } from '../core/message/codecs.js';
import type { SendOptions, SendResult } from '../core/message/message.js';
import { type TopicName, topicOf } from '../core/message/topic.js';
import { Rivulet } from '../core/rivulet.js';
import type { Logger } from '../core/runtime/logger.js';
import type { Telemetry } from '../core/runtime/telemetry.js';
import type { SubscribeOptions } from '../core/subscriptions.js';
import type { RivuletSettingsInput } from '../core/settings.js';
import { nextRun } from '../cron/next-run.js';
import { Deliveries, type Settled } from './deliveries.js';
import { ManualClock } from './manual-clock.js';
import { MemoryParticipant } from './memory-participant.js';
import { MemoryStores } from './memory-stores.js';
import { type DeadLetter, type SentMessage, StoredMessages } from './stored-messages.js';

export interface TestBedOptions {
  settings?: RivuletSettingsInput;
  /** Shared with what the test brings, such as a `MemoryParticipant`. Default: one of its own. */
  clock?: ManualClock;
  /** What the library says to its operator. Default: nobody hears it. */
  logger?: Logger;
  /** Default: none. */
  telemetry?: Telemetry;
}

/** A subscription of a test: what a `Subscription` takes, with a handler that accepts everything by default. */
export type TestSubscription = Omit<SubscribeOptions, 'handler' | 'origin' | 'topic'> & {
  topic: TopicName;
  handler?: Handler;
};

const KNOWN = [
  'settings',
  'clock',
  'logger',
  'telemetry',
] as const satisfies readonly (keyof TestBedOptions)[];

const CLOSE_STEP_MS = 50;

/**
 * One process of an application, in memory and under a clock that the test moves: no framework, no Redis, no sleeps.
 *
 * ```ts
 * const bed = await TestBed.open();
 * await bed.subscribe({ topic: 'orders', group: 'billing', handler: charge });
 * const { messageId } = await bed.publish('orders', { id: 1 });
 * expect(await bed.settled(messageId)).toMatchObject({ state: 'acked' });
 * await bed.close();
 * ```
 */
export class TestBed {
  readonly clock: ManualClock;
  readonly stores: MemoryStores;
  readonly rivulet: Rivulet;
  /** Takes part in transactions unless the settings bring participants: `bed.rivulet.transactions.run(…)`. */
  readonly database: MemoryParticipant;
  private readonly deliveries: Deliveries;
  private readonly stored: StoredMessages;
  private consuming = false;

  private constructor(
    options: TestBedOptions & {
      clock: ManualClock;
      stores: MemoryStores;
      database: MemoryParticipant;
    },
  ) {
    const { clock, stores, database, settings = {} } = options;
    this.clock = clock;
    this.stores = stores;
    this.database = database;
    const transactions = { participants: [database], ...settings.transactions };
    this.rivulet = new Rivulet({
      clock,
      stores,
      settings: { ...settings, transactions },
      ...(options.logger && { logger: options.logger }),
      telemetry: options.telemetry,
      nextRun,
    });
    this.deliveries = new Deliveries({ clock, events: this.rivulet.events });
    this.stored = new StoredMessages({
      // Reading with a client of its own, so that a test can look while the application's stores are down.
      stores: stores.sibling(),
      codecs: new Codecs({
        ...(settings.codec && { preferred: settings.codec }),
        ...(settings.codecs && { others: settings.codecs }),
      }),
    });
  }

  static async open(options: TestBedOptions = {}): Promise<TestBed> {
    const problems = unknownOptions(options, KNOWN);
    if (problems.length > 0) throw new InvalidOptionsError('Options of TestBed', problems);
    const { clock = new ManualClock() } = options;
    const stores = new MemoryStores({ clock });
    const database = new MemoryParticipant({ clock });
    const bed = new TestBed({ ...options, clock, stores, database });
    await bed.rivulet.open();
    return bed;
  }

  /** Another process of the application: same data, same clock, stores and subscriptions of its own. */
  async sibling(options: Omit<TestBedOptions, 'clock'> = {}): Promise<TestBed> {
    const bed = new TestBed({
      ...options,
      clock: this.clock,
      stores: this.stores.sibling(),
      database: this.database.sibling(),
    });
    await bed.rivulet.open();
    return bed;
  }

  /** Sends and resolves with the publisher confirm. */
  publish(topic: TopicName, body: unknown, options?: SendOptions): Promise<SendResult> {
    return this.rivulet.producer.send(topic, body, options);
  }

  /** Consumes from now on. Resolves when the group exists and is being read. */
  async subscribe(options: TestSubscription): Promise<void> {
    const { topic: name, handler = () => {} } = options;
    const topic = topicOf(name);
    if (typeof name !== 'string') this.rivulet.topics.define(name);
    const made = this.rivulet.subscribe({
      ...(typeof name !== 'string' && given({ schema: name.options.schema })),
      ...options,
      topic,
      origin: `the test's handler of ${topic}/${options.group}`,
      handler: (delivery) => {
        this.deliveries.note(delivery);
        return handler(delivery);
      },
    });
    // An application subscribes first and consumes then; a test may go on to subscribe.
    if (this.consuming) await made.start();
    else await this.rivulet.consume();
    this.consuming = true;
    // The first read comes a moment after the first look for what waits.
    await this.clock.advance(1);
  }

  /** Let this much time pass, with everything that falls due in it. */
  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  /**
   * The next delivery to a handler of the group in this process, in the order they began; each is answered once.
   *
   * Lets up to 50 ms pass while it waits.
   *
   * @throws after two real seconds without any: time may have to be advanced first.
   */
  nextDelivery(group: string): Promise<Delivery> {
    return this.deliveries.next(group);
  }

  /**
   * What finally became of a message in this process: acked, a duplicate or a dead letter. A retry is not the end of it. Lets up
   * to 50 ms pass while it waits.
   *
   * @param group needed when several groups get the message; otherwise the first that settles it counts.
   * @throws after two real seconds without an end: time may have to be advanced first.
   */
  settled(messageId: string, group?: string): Promise<Settled> {
    return this.deliveries.settled(messageId, group);
  }

  /** Every message of the topic that is still kept, scheduled ones included, in the order they were sent. */
  sent(topic: TopicName): Promise<SentMessage[]> {
    return this.stored.sent(topicOf(topic), this.deliveries.scheduledIds(topicOf(topic)));
  }

  /** What the group gave up on, oldest first in each queue. */
  deadLetters(topic: TopicName, group: string): Promise<DeadLetter[]> {
    return this.stored.deadLetters(topicOf(topic), group);
  }

  /**
   * The process dies: from now on nothing of it reaches the stores. Others notice when its heartbeat has been missing
   * for `deadAfterMs` (default 15 000): advance the clock.
   */
  crash(): void {
    const crashed = new Error('this process has crashed');
    this.stores.goDown(crashed);
    this.database.goDown(crashed);
  }

  /** Stops as an application does, moving the clock as far as that takes. Safe to repeat. */
  async close(): Promise<void> {
    let stopped = false;
    const stopping = this.rivulet.stop().finally(() => (stopped = true));
    await this.clock.settle();
    while (!stopped) await this.clock.advance(CLOSE_STEP_MS);
    await stopping;
  }
}
