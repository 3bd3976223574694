import { ClosedError, InvalidOptionsError, type QueueFaultedError } from '../message/errors.js';
import type { MessageView } from '../message/message.js';
import { type Clock, sleep } from '../runtime/clock.js';
import { orAborted } from '../runtime/drain.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type { DeliveredEntry, GroupQueue } from '../store/delivery-store.js';
import type { QueueRef } from '../store/refs.js';
import type { Stores } from '../store/stores.js';
import type { JoinReply } from '../store/topic-registry.js';
import { Attempt } from './attempt.js';
import { Capacity } from './capacity.js';
import { type DispatchTools, dispatch, open } from './dispatch.js';
import { FetchLoop } from './fetch-loop.js';
import { HandlerTimeoutError } from './handler-errors.js';
import { InHand } from './in-hand.js';
import { Overflow } from './overflow.js';
import type { Outcome } from './outcome.js';
import { Reporter } from './reporter.js';
import { settle } from './settle.js';
import { Settler } from './settler.js';
import type { Subscription } from './subscription.js';
import { toSettlement } from './to-settlement.js';
import { Visibility } from './visibility.js';
import { WaitingDeliveries } from './waiting-deliveries.js';

export interface ConsumerTiming {
  /** Longest wait of one read, at most 5 s. Default 5 000. */
  blockMs: number;
  /** How often long handlers are renewed. Default 10 000. */
  renewMs: number;
  /** Default 5 000. */
  swallowedAfterMs: number;
  /** How long a queue that cannot be read is left alone. Default 30 000. */
  quarantineMs: number;
}

export const DEFAULT_CONSUMER_TIMING: ConsumerTiming = {
  blockMs: 5_000,
  renewMs: 10_000,
  swallowedAfterMs: 5_000,
  quarantineMs: 30_000,
};

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
  pollMs(): number;
  /** The topic as it is now, made anew if it is gone and that is allowed. */
  lookUpTopic(): Promise<{ queues: number }>;
}

/** One subscription at work: fetches, dispatches, settles. Unordered. */
export class Consumer {
  readonly subscription: Subscription;
  private readonly options: ConsumerOptions;
  private readonly capacity: Capacity;
  private readonly inHand: InHand;
  private readonly reporter: Reporter;
  private readonly overflow: Overflow;
  /** Settles on their way. */
  private readonly settling = new Set<DeliveredEntry>();
  private refs: GroupQueue[] = [];
  private settlers: Settler[] = [];
  private fetchLoop: FetchLoop | undefined;
  private waiting: WaitingDeliveries | undefined;
  private visibility: Visibility | undefined;
  private stopped = false;

  constructor(options: ConsumerOptions) {
    this.options = options;
    this.subscription = options.subscription;
    this.capacity = new Capacity({ limit: options.subscription.concurrency });
    this.reporter = new Reporter(options);
    this.overflow = new Overflow({
      clock: options.clock,
      capacity: this.capacity,
      onTooLong: (entries) => this.release(entries),
    });
    this.inHand = new InHand({
      clock: options.clock,
      handlerTimeoutMs: options.subscription.handlerTimeoutMs,
      onTimeout: (attempt) => this.onTimeout(attempt),
    });
  }

  /** The queues of this subscription; empty before `start`. */
  get queues(): readonly GroupQueue[] {
    return this.refs;
  }

  /**
   * Make the group known and begin to read. The group exists in every queue when this resolves.
   *
   * @throws InvalidOptionsError when the group is registered with another mode or filter.
   */
  async start({ queues }: { queues: number }): Promise<void> {
    const { stores, clock, timing, member } = this.options;
    const { topic, group } = this.subscription;
    await this.join();
    // Stopped while the store was asked: nothing of this subscription may begin to run.
    if (this.stopped) return;
    this.refs = Array.from({ length: queues }, (_, queue) => ({ topic, queue, group }));
    this.settlers = this.refs.map(
      (ref) =>
        new Settler({
          ref,
          consumer: member,
          deliveries: stores.deliveries,
          clock,
          onTrouble: (error) => this.reporter.trouble(`settle queue ${ref.queue}`, error),
        }),
    );
    this.startVisibility();
    this.startWaiting();
    this.fetchLoop = new FetchLoop({
      name: `fetch ${topic}/${group}`,
      refs: this.refs,
      reader: stores.deliveries.openReader(group, member),
      capacity: this.capacity,
      clock,
      blockMs: timing.blockMs,
      isStuck: (queue) => this.settlers[queue]!.isStuck,
      overdue: () => this.waiting!.overdue,
      accept: (entries) => this.accept(entries),
      onFault: (fault) => this.onFault(fault),
      onRecovered: (queue) => this.options.events.emit('queue-recovered', { topic, queue, group }),
      onError: (error) => {
        this.visibility!.suspectLoss();
        this.reporter.trouble('fetch', error);
      },
    });
    this.fetchLoop.start();
  }

  /** This process may have been taken for dead: find out what is still ours. */
  recheck(): void {
    this.visibility?.renewNow();
    for (const { queue } of this.refs) this.waiting?.expect(queue, 0);
  }

  /**
   * Stop fetching, let handlers finish, settle. What still runs when `timeUp` aborts is told so by its signal and
   * stays pending for others; the same goes for settles the store does not take.
   *
   * @returns true when nothing is left.
   */
  async stop(timeUp: AbortSignal): Promise<boolean> {
    this.stopped = true;
    // A store that does not answer must not hold up a shutdown: these end with the connection at the latest.
    await orAborted(
      Promise.all([this.fetchLoop?.stop(), this.waiting?.stop(), this.visibility?.stop()]),
      timeUp,
    );
    this.release(this.overflow.drain());
    await this.capacity.whenIdle(timeUp);
    const left = this.inHand.of();
    for (const attempt of left)
      attempt.abort(
        new ClosedError(`${this.subscription.origin} did not finish within the drain limit`),
      );
    while (!timeUp.aborted && this.unsettled > 0) await sleep(this.options.clock, 5, timeUp);
    const settled = this.unsettled === 0;
    this.inHand.stop();
    for (const settler of this.settlers) settler.close();
    return left.length === 0 && settled;
  }

  private get unsettled(): number {
    return this.settlers.reduce((sum, settler) => sum + settler.pending, 0);
  }

  /** Make the group known in every queue. @throws InvalidOptionsError as `start` does. */
  async join(): Promise<void> {
    const { recreated } = await this.register();
    this.alarm(recreated);
  }

  private async register(): Promise<JoinReply & { state: 'joined' }> {
    const { stores } = this.options;
    const { topic, group, from, origin } = this.subscription;
    const reply = await stores.topics.joinGroup(topic, {
      group,
      mode: 'unordered',
      filterDigest: '',
      from,
    });
    if (reply.state === 'conflict')
      throw new InvalidOptionsError(origin, [
        `consumer group "${group}" on topic "${topic}" is registered as ${reply.registered.mode}` +
          `${reply.registered.filterDigest ? ' with a filter' : ''}, this handler is unordered without one; ` +
          'members that differ would lose messages. Use another group, or stop the others and delete the group first',
      ]);
    return reply;
  }

  private alarm(queues: readonly QueueRef[]): void {
    const { events, logger } = this.options;
    const { topic, group } = this.subscription;
    for (const { queue } of queues) {
      events.emit('group-recreated', { topic, queue, group, from: 'its first offset' });
      logger.error(
        `${topic}/${group}: the group had vanished from queue ${queue} and was created again where it once began. Messages may come again; some may be lost if the store lost data.`,
      );
    }
  }

  private startWaiting(): void {
    const { stores, clock, member } = this.options;
    this.waiting = new WaitingDeliveries({
      refs: this.refs,
      consumer: member,
      deliveries: stores.deliveries,
      clock,
      capacity: this.capacity,
      pollMs: this.options.pollMs,
      accept: (entries) => this.accept(entries),
      runAlone: (entry) => new Promise((resolve) => this.begin(entry, resolve)),
      afterSuspects: () => this.startFetched(),
      onError: (error) => {
        this.visibility!.suspectLoss();
        this.reporter.trouble('claim what is due', error);
      },
    });
    this.waiting.start();
  }

  private startVisibility(): void {
    const { stores, clock, member, timing, events } = this.options;
    const { topic, group } = this.subscription;
    this.visibility = new Visibility({
      refs: this.refs,
      consumer: member,
      deliveries: stores.deliveries,
      clock,
      renewMs: timing.renewMs,
      swallowedAfterMs: timing.swallowedAfterMs,
      inHand: (queue) => this.inHand.of(queue),
      heldBesides: (queue) => [
        ...this.overflow.of(queue),
        ...[...this.settling].filter((entry) => entry.queue === queue),
      ],
      onLost: (attempt) => this.onLost(attempt),
      onReleased: (queue, count) => {
        events.emit('reclaimed', { topic, queue, group, consumer: member, count });
        this.waiting?.expect(queue, 0);
      },
      onError: (error) => this.reporter.trouble('renew', error),
    });
    this.visibility.start();
  }

  /** Starts what has a slot. Two fetches at once may bring more than that: the rest has the next slots. */
  private accept(entries: readonly DeliveredEntry[]): void {
    for (const entry of entries)
      if (this.overflow.length === 0 && this.capacity.hasSlot) this.begin(entry);
      else this.overflow.push(entry);
    this.overflow.watch();
  }

  private startFetched(): void {
    while (this.overflow.length > 0 && this.capacity.hasSlot) this.begin(this.overflow.shift()!);
  }

  /** `whenOver`: called once the delivery is settled, or given up to others. Its handler may still run then. */
  private begin(entry: DeliveredEntry, whenOver: () => void = () => {}): void {
    const { clock, tools } = this.options;
    const opened = open(entry, this.subscription, tools);
    if ('outcome' in opened)
      return this.settleAs(entry, opened.outcome, { message: opened.message, after: whenOver });
    const { group } = this.subscription;
    const attempt = new Attempt({
      entry,
      message: opened.message,
      group,
      startedAt: clock.monotonic(),
      whenOver,
    });
    this.capacity.take();
    this.inHand.add(attempt);
    this.reporter.delivered(attempt);
    void dispatch(attempt, this.subscription, tools).then((outcome) => this.end(attempt, outcome));
  }

  /** They never started: others may have them now, and the attempt does not count. */
  private release(entries: readonly DeliveredEntry[]): void {
    for (const entry of entries) this.settleAs(entry, { kind: 'not-started' });
  }

  private end(attempt: Attempt, outcome: Outcome): void {
    if (attempt.ended) return;
    attempt.ended = true;
    this.inHand.remove(attempt);
    this.capacity.handled();
    this.startFetched();
    const { entry, message } = attempt;
    this.settleAs(entry, outcome, {
      message,
      after: () => {
        this.capacity.settled();
        attempt.whenOver();
      },
    });
  }

  private settleAs(
    entry: DeliveredEntry,
    outcome: Outcome,
    { message, after }: { message?: MessageView | undefined; after?: () => void } = {},
  ): void {
    const { clock, member } = this.options;
    const decision = settle(outcome, entry.attempt, this.subscription.retry);
    const settlement = toSettlement(decision, {
      outcome,
      entry,
      consumer: member,
      at: clock.now(),
    });
    this.settling.add(entry);
    this.settlers[entry.queue]!.add(
      { offset: entry.offset, deliveryCount: entry.deliveryCount, settlement },
      (reply) => {
        this.settling.delete(entry);
        after?.();
        this.reporter.settled({ entry, outcome, decision, reply, message });
        if (decision.kind === 'retry' || decision.kind === 'release')
          this.waiting!.expect(entry.queue, decision.delayMs);
      },
    );
  }

  private onTimeout(attempt: Attempt): void {
    const { origin, handlerTimeoutMs } = this.subscription;
    const error = new HandlerTimeoutError(`${origin} did not finish within ${handlerTimeoutMs} ms`);
    attempt.abort(error);
    this.end(attempt, { kind: 'failed', error });
  }

  /** Somebody else has it now: the handler is told, and nothing of it is settled. */
  private onLost(attempt: Attempt): void {
    attempt.ended = true;
    attempt.abort(
      new ClosedError(`Message ${attempt.message.messageId} was given to another consumer`),
    );
    this.inHand.remove(attempt);
    this.capacity.handled();
    this.capacity.settled();
    attempt.whenOver();
    this.startFetched();
    this.reporter.refused(attempt.entry, attempt.message);
  }

  private async onFault(fault: QueueFaultedError): Promise<number> {
    const { timing, events } = this.options;
    const { topic, group } = this.subscription;
    if (fault.fault === 'no-group') {
      const { queues } = await this.options.lookUpTopic();
      const { created, recreated } = await this.register();
      // Where the store lost everything, it does not know either that the group had been there.
      this.alarm(created ? this.refs : recreated);
      // A topic that was made anew with fewer queues: nothing will come from this one.
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
