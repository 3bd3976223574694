import type { Head, Lane } from './lane.js';
import type { Lanes } from './lanes.js';

/** A message of a lane. */
interface Stray {
  readonly head: Head;
  readonly laneName: string;
}

/** Messages under way when their queue was lost sight of: once it was loaded anew, each is the head of its lane, or not. */
export class Strays<T extends Stray> {
  private readonly byOffset = new Map<string, T>();
  /** Held messages, until their lanes are looked at. */
  private readonly sought = new Set<T>();

  add(run: T): void {
    this.byOffset.set(run.head.offset, run);
  }

  /** That of the message at this offset, which is one no more. */
  take(offset: string): T | undefined {
    if (this.byOffset.size === 0) return undefined;
    const run = this.byOffset.get(offset);
    if (run) this.remove(run);
    return run;
  }

  remove(run: T): void {
    if (this.byOffset.get(run.head.offset) === run) this.byOffset.delete(run.head.offset);
    this.sought.delete(run);
  }

  clear(): void {
    this.byOffset.clear();
    this.sought.clear();
  }

  /** The queue is loaded anew, again: nothing is looked for any more. */
  restart(): void {
    this.sought.clear();
  }

  /** All lanes have taken what is theirs. @returns what is left, but for what may stand among held messages. */
  left(lanes: Lanes): T[] {
    return [...this.byOffset.values()].filter((run) => {
      const lane = lanes.find(run.laneName);
      if (!run.head.held || !lane || !lanes.peeking.has(lane)) return true;
      this.sought.add(run);
      return false;
    });
  }

  /** What a lane holds was looked at. @returns those that were sought there, and are not its head. */
  notFoundIn(lane: Lane): T[] {
    if (this.sought.size === 0) return [];
    const its = [...this.sought].filter(({ laneName }) => laneName === lane.name);
    for (const run of its) this.sought.delete(run);
    return its.filter(({ head }) => head.offset !== lane.head?.offset);
  }
}

/** Handlers that no longer count and still run, by lane: whatever starts there would run beside them. */
export class Ghosts {
  private readonly counts = new Map<string, number>();

  isIn(lane: string): boolean {
    return this.counts.size > 0 && this.counts.has(lane);
  }

  add(lane: string): void {
    this.counts.set(lane, (this.counts.get(lane) ?? 0) + 1);
  }

  /** One has ended. @returns whether it was the last one there. */
  leave(lane: string): boolean {
    const left = this.counts.get(lane)! - 1;
    if (left > 0) this.counts.set(lane, left);
    else this.counts.delete(lane);
    return left === 0;
  }
}
