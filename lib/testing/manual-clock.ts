import { setImmediate as nextTurn } from 'node:timers/promises';
import { InvalidInputError } from '../core/message/errors.js';
import { describeValue, inMs } from '../core/message/options.js';
import type { Clock } from '../core/runtime/clock.js';

interface Timer {
  /** On the monotonic scale. */
  readonly dueAt: number;
  readonly run: () => void;
}

/** So many turns of the event loop in which nobody looked at the clock count as "everything has settled". */
const QUIET_TURNS = 3;
/** A program that never becomes quiet is moved on rather than waited for. */
const MOST_TURNS = 1_000;

/**
 * A clock that moves only when a test moves it.
 *
 * `advance` visits each timer that falls due, in the order of their times (equal times: in the order they were
 * armed). After each it lets the event loop turn until nobody has asked the clock for anything in three turns, so
 * that the work a timer starts is done, and a timer armed by that work runs in the same `advance` if it falls due
 * within. Two runs of one test see the same order.
 */
export class ManualClock implements Clock {
  private elapsedMs = 0;
  private wallOffset: number;
  private timers: Timer[] = [];
  private touches = 0;

  /** @param start first answer of `now()`. Default 2026-01-01T00:00:00Z. */
  constructor(start: number | Date = Date.UTC(2026, 0, 1)) {
    const time = start instanceof Date ? start.getTime() : start;
    if (!Number.isFinite(time))
      throw new InvalidInputError('ManualClock', [
        `start must be a Date or Unix time in milliseconds, got: ${describeValue(start)}`,
      ]);
    this.wallOffset = time;
  }

  /** Whole milliseconds, as `Date.now()`: a timer may have been due in between. */
  now(): number {
    this.touches += 1;
    return Math.floor(this.wallOffset + this.elapsedMs);
  }

  monotonic(): number {
    this.touches += 1;
    return this.elapsedMs;
  }

  after(delayMs: number, run: () => void): () => void {
    this.touches += 1;
    const timer: Timer = { dueAt: this.elapsedMs + Math.max(0, delayMs), run };
    const later = this.timers.findIndex((other) => other.dueAt > timer.dueAt);
    this.timers.splice(later === -1 ? this.timers.length : later, 0, timer);
    return () => {
      const at = this.timers.indexOf(timer);
      if (at === -1) return;
      this.touches += 1;
      this.timers.splice(at, 1);
    };
  }

  /** Let this much time pass. Resolves when everything that fell due has run and settled. @throws InvalidInputError */
  async advance(ms: number): Promise<void> {
    if (!(Number.isFinite(ms) && ms >= 0))
      throw new InvalidInputError('ManualClock.advance', [
        `ms must be a number of at least 0, got: ${describeValue(ms)}${inMs(ms)}`,
      ]);
    const target = this.elapsedMs + ms;
    await this.settle();
    for (let next = this.timers[0]; next && next.dueAt <= target; next = this.timers[0]) {
      this.timers.shift();
      this.elapsedMs = Math.max(this.elapsedMs, next.dueAt);
      next.run();
      await this.settle();
    }
    // Never back: two that advance at the same time may overtake each other.
    this.elapsedMs = Math.max(this.elapsedMs, target);
    await this.settle();
  }

  /** The wall clock jumps (as when it is corrected): `now` changes, `monotonic` and the timers do not. */
  set(now: number | Date): void {
    this.wallOffset = Number(now) - this.elapsedMs;
  }

  /** Number of timers that are armed. A program at rest that stopped everything has none. */
  get armed(): number {
    return this.timers.length;
  }

  /** Let the event loop turn, without time passing, until the program is quiet. */
  async settle(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < MOST_TURNS && quiet < QUIET_TURNS; turn++) {
      const seen = this.touches;
      await nextTurn();
      quiet = this.touches === seen ? quiet + 1 : 0;
    }
  }
}
