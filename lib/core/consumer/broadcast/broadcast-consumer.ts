import type { QueueFaultedError } from '../../message/errors.js';
import { orAborted } from '../../runtime/drain.js';
import { Loop } from '../../runtime/loop.js';
import type { DeliveredEntry, GroupQueue } from '../../store/delivery-store.js';
import type { QueueRef } from '../../store/refs.js';
import type { ConsumerOptions } from '../consumer.js';
import { groupConflict } from '../group-conflict.js';
import { Reporter } from '../reporter.js';
import type { PauseReason, RunningSubscription } from '../running-subscription.js';
import type { Subscription } from '../subscription.js';
import type { FetchedTopic } from '../topic-fetch.js';
import { type BroadcastReading, broadcastReading } from './broadcast-reading.js';
import { BroadcastRunner } from './broadcast-runner.js';

export interface BroadcastConsumerOptions extends Omit<ConsumerOptions, 'fetch'> {
  /** Shared by the topics of one subscription: who gives it starts and stops it. By default this consumer has its own. */
  reading?: BroadcastReading;
}

/** How often the topic is looked at for queues that were added. */
const LOOK_MS = 60_000;

/**
 * One subscription at work in which every process gets every message.
 *
 * Nothing of it is kept in the store but its mode: no progress, no retries, no dead letters, and nothing is held back from
 * trimming for it. What a handler fails to handle is dropped, with the event `dropped`.
 */
export class BroadcastConsumer implements RunningSubscription, FetchedTopic {
  readonly subscription: Subscription;
  /** A broadcast holds nothing that others could take over. */
  readonly queues: readonly GroupQueue[] = [];
  readonly refs: QueueRef[] = [];
  /** Nothing is tried again. */
  readonly overdue = false;
  private readonly options: BroadcastConsumerOptions;
  private readonly reading: BroadcastReading;
  private readonly reporter: Reporter;
  private readonly runner: BroadcastRunner;
  private looking: Loop | undefined;
  /** Over once every queue that was found so far is read. */
  private following: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(options: BroadcastConsumerOptions) {
    this.options = options;
    this.subscription = options.subscription;
    this.reporter = new Reporter(options);
    const { reporter } = this;
    this.reading = options.reading ?? broadcastReading({ ...options, reporter });
    const { intake } = this.reading.fetch;
    this.runner = new BroadcastRunner({ ...options, intake, reporter });
  }

  get topics(): readonly string[] {
    return [this.subscription.topic];
  }

  get isStarted(): boolean {
    return this.looking !== undefined;
  }

  /** Each process begins where it first joins: what is sent afterwards reaches it, however late it starts to read. */
  async join(): Promise<void> {
    const { queues } = await this.options.topic.get();
    await this.register();
    await this.follow(queues, this.subscription.from);
  }

  async start(): Promise<void> {
    await this.join();
    if (this.stopped || this.isStarted) return;
    const { topic, group } = this.subscription;
    const { fetch } = this.reading;
    fetch.add(this);
    if (!this.options.reading) fetch.start();
    this.looking = new Loop({
      name: `look at ${topic}/${group}`,
      clock: this.options.clock,
      step: () => this.lookForQueues(),
      onError: (error) => this.reporter.trouble('look at its topic', error),
      backOffMs: { from: 1_000, to: LOOK_MS },
    });
    this.looking.start();
  }

  pause(why: PauseReason): void {
    this.reading.fetch.pause(why);
  }

  resume(why: PauseReason): void {
    this.reading.fetch.resume(why);
  }

  async growTo(topic: string, queues: number): Promise<void> {
    if (topic !== this.subscription.topic || queues <= this.refs.length || !this.isStarted) return;
    await this.lookForQueues();
  }

  recheck(): void {}

  /** Nobody gets what is left: there is nothing to wait for, or to warn of. */
  async stop(timeUp: AbortSignal): Promise<boolean> {
    this.stopped = true;
    const { fetch, follower } = this.reading;
    const isShared = this.options.reading !== undefined;
    if (isShared) fetch.remove(this);
    const ended = Promise.all([this.looking?.stop(), isShared ? undefined : fetch.stop()]);
    await this.runner.stop(timeUp);
    for (const ref of this.refs) follower.forget(ref);
    await orAborted(ended, timeUp);
    return true;
  }

  /** What waits here is for this process only. */
  handBack(): void {}

  /** Nothing is settled. */
  isStuck(): boolean {
    return false;
  }

  flushSettles(): void {}

  accept(entries: readonly DeliveredEntry[]): void {
    this.runner.accept(entries);
  }

  onFault(fault: QueueFaultedError): Promise<number> {
    const { timing, events } = this.options;
    const { topic, group } = this.subscription;
    events.emit('queue-faulted', { topic, queue: fault.queue, group, error: fault });
    this.reporter.trouble(
      `read queue ${fault.queue} (left out for ${timing.quarantineMs} ms)`,
      fault,
    );
    return Promise.resolve(timing.quarantineMs);
  }

  /** A place moves when its read is answered. */
  suspectLoss(): void {}

  private async register(): Promise<void> {
    const { topic, group, from, origin, filter, allowFilterChange } = this.subscription;
    const wanted = { group, mode: 'broadcasting', filterDigest: filter?.digest ?? '' } as const;
    const reply = await this.options.stores.topics.joinGroup(topic, {
      ...wanted,
      from,
      allowFilterChange,
    });
    if (reply.state === 'conflict')
      throw groupConflict({ origin, topic }, wanted, reply.registered);
  }

  /** Queues that were not read yet are read from here on. In turns: two who find the same new queue would both begin in it. */
  private follow(queues: number, from: Subscription['from']): Promise<void> {
    const followed = this.following.then(() => this.begin(queues, from));
    // Whoever asked for it hears of a failure; the next one begins where it ended.
    this.following = followed.catch(() => undefined);
    return followed;
  }

  private async begin(queues: number, from: Subscription['from']): Promise<void> {
    const { topic } = this.subscription;
    for (let queue = this.refs.length; queue < queues; queue++) {
      await this.reading.follower.begin({ topic, queue }, from);
      this.refs.push({ topic, queue });
    }
  }

  private async lookForQueues(): Promise<number> {
    const { queues } = await this.options.topic.refresh();
    if (this.stopped) return LOOK_MS;
    // A topic that was made anew does not know its groups any more.
    await this.register();
    await this.follow(queues, 'earliest');
    return LOOK_MS;
  }
}
