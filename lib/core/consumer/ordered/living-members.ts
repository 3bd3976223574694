import type { MemberBeat } from '../../store/membership.js';

/**
 * Who of a group is alive, by watching each member's beat move: no clock is compared with another.
 *
 * A member that was never seen before counts as alive until it has stood still for `deadAfterMs`.
 */
export class LivingMembers {
  private readonly deadAfterMs: number;
  private seen = new Map<string, { beatAt: number; since: number }>();
  private living: readonly string[] = [];
  private unchangedSince = -Infinity;

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

  /** `now` is monotonic. */
  observe(members: readonly MemberBeat[], now: number): void {
    const before = this.seen;
    this.seen = new Map(
      members.map(({ member, beatAt }) => {
        const known = before.get(member);
        return [member, known?.beatAt === beatAt ? known : { beatAt, since: now }];
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
