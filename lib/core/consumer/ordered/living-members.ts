import type { MemberBeat } from '../../store/membership.js';
import { lateBy } from '../late-by.js';

/**
 * Who of a group is alive, by watching each member's beat move: no clock is compared with another.
 *
 * A member that was never seen before counts as alive until it has stood still for `deadAfterMs`, not counting the time in which
 * perhaps nobody could beat.
 */
export class LivingMembers {
  private readonly deadAfterMs: number;
  private seen = new Map<string, { beatAt: number; since: number }>();
  private living: readonly string[] = [];
  private unchangedSince = -Infinity;
  private observedAt: number | undefined;

  constructor(options: { deadAfterMs: number }) {
    this.deadAfterMs = options.deadAfterMs;
  }

  /** Sorted. */
  get names(): readonly string[] {
    return this.living;
  }

  /** Members that have not moved for many times as long as a living one may stand still. */
  forgotten(now: number): string[] {
    return [...this.seen]
      .filter(([, { since }]) => now - since > this.deadAfterMs * 20)
      .map(([member]) => member);
  }

  /** For how long the same members have been alive. */
  stableForMs(now: number): number {
    return now - this.unchangedSince;
  }

  /** `now` is monotonic. To be called each third of `deadAfterMs`, or more often. */
  observe(members: readonly MemberBeat[], now: number): void {
    const before = this.seen;
    const lateMs = lateBy(now - (this.observedAt ?? now), this.deadAfterMs / 3);
    this.observedAt = now;
    this.seen = new Map(
      members.map(({ member, beatAt }) => {
        const known = before.get(member);
        const since = known?.beatAt === beatAt ? known.since + lateMs : now;
        return [member, { beatAt, since }];
      }),
    );
    const living = [...this.seen]
      .filter(([, { since }]) => now - since < this.deadAfterMs)
      .map(([member]) => member)
      .sort();
    if (living.join('\n') === this.living.join('\n')) return;
    this.living = living;
    this.unchangedSince = now;
  }
}
