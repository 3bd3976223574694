/** So many reads at most are not followed by another one, before it is tried again. */
const LONGEST_TRUST = 16;

/**
 * Whether a read that waited, and brought all it asked for, is followed by one that does not wait. If as many messages
 * are under way as there are slots, as requests of whoever awaits their answers, each read is full and leaves nothing
 * behind. Each look that found nothing is followed by twice as many reads without one. Nothing is late for that: to wait
 * again brings what is there at once, only not as many of one queue.
 */
export class SecondLook {
  private trusted = 0;
  private left = 0;
  private isUnderWay = false;

  /** A read that waited was full. @returns whether to look for more. */
  noteFull(): boolean {
    this.isUnderWay = this.left === 0;
    if (this.left > 0) this.left -= 1;
    return this.isUnderWay;
  }

  /** Another read brought so many. */
  brought(count: number): void {
    if (!this.isUnderWay) return;
    this.isUnderWay = false;
    this.trusted = count > 0 ? 0 : Math.min(LONGEST_TRUST, this.trusted * 2 || 1);
    this.left = this.trusted;
  }
}
