import { ClosedError, type QueueFaultedError } from '../../message/errors.js';
import type { MessageView } from '../../message/message.js';
import { Loop } from '../../runtime/loop.js';
import type { DeliveredEntry, GroupQueue } from '../../store/delivery-store.js';
import type { QueueRef } from '../../store/refs.js';
import { Attempt } from '../attempt.js';
import { bytesOf } from '../byte-budget.js';
import type { Capacity } from '../capacity.js';
import type { ConsumerOptions } from '../consumer.js';
import { dispatch, open } from '../dispatch.js';
import { FetchLoop } from '../fetch-loop.js';
import { groupConflict } from '../group-conflict.js';
import { HandlerTimeoutError } from '../handler-errors.js';
import { InHand } from '../in-hand.js';
import { Intake } from '../intake.js';
import type { Outcome } from '../outcome.js';
import { Reporter } from '../reporter.js';
import type { PauseReason, RunningSubscription } from '../running-subscription.js';
import type { Subscription } from '../subscription.js';
import { LogFollower } from './log-follower.js';

/** How often the topic is looked at for queues that were added. */
const LOOK_MS = 60_000;

/**
 * One subscription at work in which every process gets every message.
 *
 * Nothing of it is kept in the store but its mode: no progress, no retries, no dead letters, and nothing is held back from
 * trimming for it. What a handler fails to handle is dropped, with the event `dropped`.
 */
export class BroadcastConsumer implements RunningSubscription {
  readonly subscription: Subscription;
  /** A broadcast holds nothing that others could take over. */
  readonly queues: readonly GroupQueue[] = [];
  private readonly options: ConsumerOptions;
  private readonly intake: Intake;
  private readonly capacity: Capacity;
  private readonly reporter: Reporter;
  private readonly inHand: InHand;
  private readonly refs: QueueRef[] = [];
  /** Read, and without a slot yet: no more than there are queues. */
  private readonly waiting: DeliveredEntry[] = [];
  private follower: LogFollower | undefined;
  private loops: (FetchLoop | Loop)[] = [];
  private stopped = false;
  private starting = false;

  constructor(options: ConsumerOptions) {
    const { subscription, clock } = options;
    this.options = options;
    this.subscription = subscription;
    this.intake = new Intake({
      concurrency: subscription.concurrency,
      mostBytes: options.timing.maxInHandBytes,
    });
    this.capacity = this.intake.capacity;
    this.reporter = new Reporter(options);
    this.inHand = new InHand({
      clock,
      handlerTimeoutMs: subscription.handlerTimeoutMs,
      onTimeout: (attempt) => this.onTimeout(attempt),
    });
  }

  get isStarted(): boolean {
    return this.loops.length > 0;
  }

  /** Each process begins where it first joins: what is sent afterwards reaches it, however late it starts to read. */
  async join(): Promise<void> {
    const { stores, topic } = this.options;
    const { queues } = await topic.get();
    await this.register();
    this.follower ??= new LogFollower({ log: stores.log });
    await this.follow(queues, this.subscription.from);
  }

  async start(): Promise<void> {
    await this.join();
    if (this.stopped || this.isStarted) return;
    const { clock } = this.options;
    const { topic, group } = this.subscription;
    const fetching = this.fetchLoop(this.follower!);
    const looking = new Loop({
      name: `look at ${topic}/${group}`,
      clock,
      step: () => this.lookForQueues(),
      onError: (error) => this.reporter.trouble('look at its topic', error),
      backOffMs: { from: 1_000, to: LOOK_MS },
    });
    this.loops = [fetching, looking];
    for (const loop of this.loops) loop.start();
  }

  pause(why: PauseReason): void {
    this.capacity.pause(why);
  }

  resume(why: PauseReason): void {
    this.capacity.resume(why);
    this.startWaiting();
  }

  async growTo(topic: string, queues: number): Promise<void> {
    if (topic !== this.subscription.topic || queues <= this.refs.length || !this.isStarted) return;
    await this.lookForQueues();
  }

  recheck(): void {}

  async stop(timeUp: AbortSignal): Promise<boolean> {
    this.stopped = true;
    const ended = Promise.all(this.loops.map((loop) => loop.stop()));
    if (this.loops.length === 0) await this.follower?.close();
    this.capacity.queue(-this.waiting.splice(0).length);
    await this.capacity.whenIdle(timeUp);
    const left = this.inHand.of();
    for (const attempt of left)
      attempt.abort(
        new ClosedError(`${this.subscription.origin} did not finish within the drain limit`),
      );
    this.inHand.stop();
    if (!timeUp.aborted) await ended;
    // Nobody gets what is left: there is nothing to wait for, or to warn of.
    return true;
  }

  private fetchLoop(follower: LogFollower): FetchLoop {
    const { clock, timing, events } = this.options;
    const { topic, group } = this.subscription;
    return new FetchLoop({
      name: `fetch ${topic}/${group}`,
      queues: () => this.refs,
      reader: follower,
      capacity: this.capacity,
      clock,
      blockMs: timing.blockMs,
      isStuck: () => false,
      overdue: () => false,
      toRead: (free) => this.intake.toRead(free),
      accept: (entries) => this.accept(entries),
      onFault: (fault) => this.onFault(fault),
      onRecovered: ({ queue }) => events.emit('queue-recovered', { topic, queue, group }),
      onError: (error) => this.reporter.trouble('fetch', error),
    });
  }

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

  /** Queues that were not read yet are read from here on. */
  private async follow(queues: number, from: Subscription['from']): Promise<void> {
    const { topic } = this.subscription;
    for (let queue = this.refs.length; queue < queues; queue++) {
      await this.follower!.begin({ topic, queue }, from);
      this.refs.push({ topic, queue });
    }
  }

  private async lookForQueues(): Promise<number> {
    const { queues } = await this.options.topic.refresh();
    // A topic that was made anew does not know its groups any more.
    await this.register();
    await this.follow(queues, 'earliest');
    return LOOK_MS;
  }

  private accept(entries: readonly DeliveredEntry[]): void {
    const { tools } = this.options;
    if (this.stopped) return;
    this.intake.budget.learn(entries.map(bytesOf));
    for (const entry of entries) {
      const opened = open(entry, this.subscription, tools);
      if ('outcome' in opened) this.reporter.passed(entry, opened.outcome, opened.message);
      else if (this.waiting.length === 0 && this.capacity.hasSlot) this.run(entry, opened.message);
      else {
        this.waiting.push(entry);
        this.capacity.queue(1);
      }
    }
  }

  private startWaiting(): void {
    // A handler that ends at once comes here again, from within.
    if (this.starting) return;
    this.starting = true;
    while (this.waiting.length > 0 && this.capacity.hasSlot) {
      const entry = this.waiting.shift()!;
      this.capacity.queue(-1);
      // Looked at again: its time may have passed while it waited.
      const opened = open(entry, this.subscription, this.options.tools);
      if ('outcome' in opened) this.reporter.passed(entry, opened.outcome, opened.message);
      else this.run(entry, opened.message);
    }
    this.starting = false;
  }

  private run(entry: DeliveredEntry, message: MessageView): void {
    const { clock, tools } = this.options;
    const attempt = new Attempt({
      entry,
      message,
      group: this.subscription.group,
      startedAt: clock.monotonic(),
      whenOver: () => {},
    });
    this.capacity.take();
    this.intake.budget.take(bytesOf(entry));
    this.inHand.add(attempt);
    this.reporter.delivered(attempt);
    const outcome = dispatch(attempt, this.subscription, tools);
    if (outcome instanceof Promise) void outcome.then((later) => this.end(attempt, later));
    else this.end(attempt, outcome);
  }

  private end(attempt: Attempt, outcome: Outcome): void {
    if (attempt.ended) return;
    attempt.ended = true;
    this.inHand.remove(attempt);
    this.intake.budget.give(bytesOf(attempt.entry));
    this.capacity.handled();
    this.capacity.settled();
    this.reporter.passed(attempt.entry, outcome, attempt.message);
    this.startWaiting();
  }

  private onTimeout(attempt: Attempt): void {
    const { origin, handlerTimeoutMs } = this.subscription;
    const error = new HandlerTimeoutError(`${origin} did not finish within ${handlerTimeoutMs} ms`);
    attempt.abort(error);
    this.end(attempt, { kind: 'failed', error });
  }

  private onFault(fault: QueueFaultedError): Promise<number> {
    const { timing, events } = this.options;
    const { topic, group } = this.subscription;
    events.emit('queue-faulted', { topic, queue: fault.queue, group, error: fault });
    this.reporter.trouble(
      `read queue ${fault.queue} (left out for ${timing.quarantineMs} ms)`,
      fault,
    );
    return Promise.resolve(timing.quarantineMs);
  }
}
