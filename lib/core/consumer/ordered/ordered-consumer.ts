import type { QueueFaultedError } from '../../message/errors.js';
import type { Clock } from '../../runtime/clock.js';
import { orAborted } from '../../runtime/drain.js';
import type { Events } from '../../runtime/events.js';
import type { Logger } from '../../runtime/logger.js';
import { Loop } from '../../runtime/loop.js';
import type { GroupQueue } from '../../store/delivery-store.js';
import type { Stores } from '../../store/stores.js';
import type { DispatchTools } from '../dispatch.js';
import { GroupRegistration, type TopicLookup } from '../group-registration.js';
import { Reporter } from '../reporter.js';
import type { PauseReason, RunningSubscription } from '../running-subscription.js';
import type { Subscription } from '../subscription.js';
import type { ConsumerTiming } from '../consumer-timing.js';
import { allocationStrategy } from './allocation.js';
import { GroupShare } from './group-share.js';
import { LeasedQueue } from './leased-queue.js';
import { OrderedIntake } from './ordered-intake.js';
import type { OrderedRules } from './ordered-rules.js';
import type { OrderedTiming } from './ordered-timing.js';

export interface OrderedConsumerOptions {
  subscription: Subscription;
  rules: OrderedRules;
  /** Name of this process in every consumer group. */
  member: string;
  stores: Stores;
  tools: DispatchTools;
  clock: Clock;
  events: Events;
  logger: Logger;
  timing: OrderedTiming &
    Pick<ConsumerTiming, 'blockMs' | 'quarantineMs' | 'maxInHandBytes'> & { deadAfterMs: number };
  onTrouble(doing: string, error: unknown): void;
  pollMs(): number;
  topic: TopicLookup;
  /** Shared by the topics of one subscription: who gives it starts and stops it. By default this consumer has its own. */
  intake?: OrderedIntake;
}

/** An ordered subscription at work: it owns a share of the queues, and runs the lanes inside them side by side. */
export class OrderedConsumer implements RunningSubscription {
  readonly subscription: Subscription;
  /** Nothing is in this process's name: an owner's deliveries belong to the queue. */
  readonly queues: readonly GroupQueue[] = [];
  private readonly options: OrderedConsumerOptions;
  private readonly reporter: Reporter;
  private readonly registration: GroupRegistration;
  private readonly intake: OrderedIntake;
  private leased: LeasedQueue[] = [];
  private share: GroupShare | undefined;
  private renewals: Loop | undefined;
  private stopped = false;

  constructor(options: OrderedConsumerOptions) {
    this.options = options;
    this.subscription = options.subscription;
    this.reporter = new Reporter(options);
    this.intake = options.intake ?? new OrderedIntake({ ...options, reporter: this.reporter });
    this.registration = new GroupRegistration({ ...options, mode: 'ordered' });
  }

  get topics(): readonly string[] {
    return [this.subscription.topic];
  }

  get isStarted(): boolean {
    return this.share !== undefined;
  }

  async join(): Promise<void> {
    await this.registration.join();
  }

  async start(): Promise<void> {
    const { queues } = await this.registration.join();
    // Stopped while the store was asked: nothing of this subscription may begin to run.
    if (this.stopped) return;
    this.leased = Array.from({ length: queues }, (_, queue) => this.leasedQueue(queue));
    this.startSharing();
    if (!this.options.intake) this.intake.start();
    this.startRenewing();
  }

  pause(why: PauseReason): void {
    this.intake.pause(why);
  }

  resume(why: PauseReason): void {
    this.intake.resume(why);
  }

  async growTo(topic: string, queues: number): Promise<void> {
    if (topic !== this.subscription.topic || queues <= this.leased.length) return;
    if (!this.isStarted || this.stopped) return;
    this.take((await this.joinAgain()).queues);
  }

  private joinAgain(): Promise<{ queues: number }> {
    return this.registration.joinAgain(this.leased.map(({ ref }) => ref));
  }

  /** So many queues there are now: this process has its share of what is new to it, too. */
  private take(queues: number): void {
    for (let queue = this.leased.length; queue < queues; queue++)
      this.leased.push(this.leasedQueue(queue));
    this.share?.lookNow();
  }

  recheck(): void {
    for (const queue of this.leased) void queue.renew();
  }

  async stop(timeUp: AbortSignal): Promise<boolean> {
    this.stopped = true;
    const bell = this.options.intake ? undefined : this.intake.stop();
    const loops = Promise.all([this.share?.stop(), bell]);
    const drained = loops.then(() => Promise.all(this.leased.map((queue) => queue.handOver())));
    await orAborted(drained, timeUp);
    const why = 'did not end within the drain limit';
    const left = this.leased.map((queue) => queue.abandon(why));
    for (const queue of this.leased) this.intake.remove(queue);
    await orAborted(Promise.all([this.renewals?.stop(), this.share?.leave()]), timeUp).catch(
      (error: unknown) => this.reporter.trouble('leave the group', error),
    );
    return left.every((wasIdle) => wasIdle);
  }

  private leasedQueue(queue: number): LeasedQueue {
    const { topic, group } = this.subscription;
    const { intake, reporter } = this;
    const { slots, memory } = intake;
    const { stores, rules, events, timing } = this.options;
    const made = new LeasedQueue({
      ...this.options,
      ...{ slots, memory, events, timing, reporter, leases: stores.leases, by: rules.by },
      ref: { topic, queue, group },
      onDrained: () => intake.drained(),
      onFault: (fault) => this.onFault(fault),
    });
    intake.add(made);
    return made;
  }

  private startSharing(): void {
    const { stores, clock, member, timing, rules, pollMs } = this.options;
    const { topic, group } = this.subscription;
    this.share = new GroupShare({
      name: `share ${topic}/${group}`,
      ...{ member, clock, queues: this.leased, leases: stores.leases },
      roster: stores.leases.roster({ topic, group }),
      allocate: allocationStrategy(rules.allocation, member),
      deadAfterMs: timing.deadAfterMs,
      rebalanceDelayMs: timing.rebalanceDelayMs,
      // Less often, and the others would take this member for dead.
      lookMs: () => Math.min(Math.max(pollMs(), this.intake.size * 20), timing.deadAfterMs / 3),
      onError: (error) => this.reporter.trouble('share the queues', error),
    });
    this.share.start();
  }

  private startRenewing(): void {
    const { clock, timing } = this.options;
    const { topic, group } = this.subscription;
    this.renewals = new Loop({
      name: `renew ${topic}/${group}`,
      clock,
      step: async () => {
        await Promise.all(this.leased.map((queue) => queue.renew()));
        return timing.renewMs;
      },
      onError: (error) => this.reporter.trouble('renew leases', error),
    });
    this.renewals.start();
  }

  private async onFault(fault: QueueFaultedError): Promise<number> {
    const { timing, events } = this.options;
    const { topic, group } = this.subscription;
    if (fault.fault === 'no-group') {
      const { queues } = await this.joinAgain();
      // A topic that was made anew may have more queues, or fewer: then nothing will come from this one.
      if (queues > this.leased.length) this.take(queues);
      if (fault.queue < queues) return 0;
    }
    events.emit('queue-faulted', { topic, queue: fault.queue, group, error: fault });
    const what = `read queue ${fault.queue} (left out for ${timing.quarantineMs} ms)`;
    this.reporter.trouble(what, fault);
    return timing.quarantineMs;
  }
}
