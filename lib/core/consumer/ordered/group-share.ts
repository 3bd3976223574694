import type { Clock } from '../../runtime/clock.js';
import { Loop } from '../../runtime/loop.js';
import type { Membership } from '../../store/membership.js';
import type { QueueLeaseStore } from '../../store/queue-lease-store.js';
import type { AllocationStrategy } from './allocation.js';
import type { LeasedQueue } from './leased-queue.js';
import { LivingMembers } from './living-members.js';

export interface GroupShareOptions {
  name: string;
  member: string;
  queues: readonly LeasedQueue[];
  leases: QueueLeaseStore;
  roster: Membership;
  allocate: AllocationStrategy;
  clock: Clock;
  deadAfterMs: number;
  rebalanceDelayMs: number;
  /** How often the members and the owners are looked at. */
  lookMs(): number;
  onError(error: unknown): void;
}

/**
 * Which queues this process should own: every member sees the same members and owners, so all come to the same answer,
 * and a lease has one owner whatever they believe.
 *
 * What nobody owns is taken at once. What somebody owns changes hands only when the members have been the same for a
 * while, one queue after the other, and after its handlers have ended.
 */
export class GroupShare {
  private readonly options: GroupShareOptions;
  private readonly members: LivingMembers;
  private readonly loop: Loop;
  private handingOver: Promise<void> | undefined;

  constructor(options: GroupShareOptions) {
    this.options = options;
    this.members = new LivingMembers(options);
    this.loop = new Loop({
      name: options.name,
      clock: options.clock,
      step: (signal) => this.look(signal),
      onError: (error) => options.onError(error),
    });
  }

  start(): void {
    this.loop.start();
  }

  /** Something may have changed hands. */
  lookNow(): void {
    this.loop.wake();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  /** The others need not wait until we are taken for dead. */
  async leave(): Promise<void> {
    // A beat that is under way would list us again.
    await this.stop();
    await this.options.roster.leave(this.options.member);
  }

  private async look(signal: AbortSignal): Promise<number> {
    const { queues, member, roster, leases, allocate, clock, lookMs, rebalanceDelayMs } =
      this.options;
    const { members } = await roster.beat(member);
    this.members.observe(members, clock.monotonic());
    for (const name of this.members.forgotten(clock.monotonic())) await roster.leave(name);
    const views = await Promise.all(
      queues.map((queue) =>
        queue.isOwned ? { owner: member, leftMs: Infinity } : leases.view(queue.ref),
      ),
    );
    const owners = new Map(
      views.flatMap(({ owner }, i) => (owner === null ? [] : [[queues[i]!.ref.queue, owner]])),
    );
    const numbers = queues.map(({ ref }) => ref.queue);
    const share = allocate({ queues: numbers, members: this.members.names, owners });
    const isMine = ({ ref }: LeasedQueue): boolean => share.get(ref.queue) === member;

    let nextMs = lookMs();
    for (const [i, queue] of queues.entries()) {
      const { owner, leftMs } = views[i]!;
      if (!isMine(queue) || queue.isOwned || signal.aborted) continue;
      // A dead owner's lease is looked at again when it ends.
      const againMs = owner === null || owner === member ? await queue.acquire() : leftMs;
      if (againMs > 0) nextMs = Math.min(nextMs, againMs);
    }
    const surplus = queues.filter((queue) => queue.isOwned && !isMine(queue));
    if (this.members.stableForMs(clock.monotonic()) >= rebalanceDelayMs) this.give(surplus[0]);
    return Math.max(1, nextMs);
  }

  private give(queue: LeasedQueue | undefined): void {
    if (!queue || this.handingOver) return;
    this.handingOver = queue.handOver().finally(() => {
      this.handingOver = undefined;
      this.loop.wake();
    });
  }
}
