/** Shorter runs are dear in calls, longer ones keep the store waiting for their end. */
const LEAST = 16;
const MOST = 100;

/**
 * How many questions leave together, where each answer leads to an end and to the next begin: as many as begins were under way
 * at once lately. Half of what is in hand is asked for then while the other half is handled, as one half ends and begins anew.
 */
export class RunLength {
  private underWay = 0;
  private most = 0;

  /** One more begin is asked. */
  begun(): void {
    this.underWay += 1;
    if (this.underWay > this.most) this.most = this.underWay;
  }

  /** So many begins have their answers, or failed. */
  answered(begins: number): void {
    this.underWay -= begins;
  }

  /** A run leaves: what was under way long ago counts less and less. */
  left(): void {
    if (this.most > this.underWay) this.most -= 1;
  }

  get value(): number {
    return Math.max(LEAST, Math.min(this.most, MOST));
  }
}
