/** Time that is not set back with the clock of the store: what was noted before would wait for as much longer. */
export class MemorySteadyTime {
  private time = 0;
  private ahead = 0;

  /** Something is noted by what this answers. */
  note(now: number): number {
    const steady = this.at(now);
    if (steady >= this.time + 1_000) this.time = steady;
    return steady;
  }

  at(now: number): number {
    const steady = Math.max(now + this.ahead, this.time);
    this.ahead = steady - now;
    return steady;
  }

  /** Nothing is noted any more. */
  forget(): void {
    this.time = 0;
    this.ahead = 0;
  }
}
