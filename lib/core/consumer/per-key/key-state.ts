import type { PermitReply } from '../../store/permit-store.js';
import type { Waiting } from './waiting-room.js';

/** How often a process asks again that has no permit for what waits. */
const POLL_MS = 100;
/** How long messages may follow each other on the permits of one process while others wait. */
const TENURE_MS = 1_000;
/** How often is given back again what could not be. */
const GIVE_BACK_MS = 1_000;

const UNKNOWN_MS = 5;
const SOONEST_MS = 20;
const LATEST_MS = 30_000;

/** What one process has to do with one key: its permits, and the deliveries that wait for one. */
export class KeyState {
  readonly key: string;
  readonly waiting: Waiting[] = [];
  /** Permits in use. */
  used = 0;
  isPlanned = false;
  /** A question is under way: permits that are not in use may be gone with it. */
  isAsking = false;
  private readonly max: number;
  private readonly leaseMs: number;
  /** Permits that are ours by the last answer. */
  private granted = 0;
  private askedFor = 0;
  private saidHeld = 0;
  private isContested = false;
  /** By the monotonic clock. */
  private askedAt = -Infinity;
  /** Since when messages follow each other on our permits. */
  private tenureFrom = 0;
  /** How long a handler takes, of late. Rather too short than too long: what comes too early is sent back once more. */
  private meanMs: number | undefined;
  /** When the last of those that were sent back comes again. */
  private lastBackAt = -Infinity;

  constructor(key: string, options: { max: number; leaseMs: number }) {
    this.key = key;
    this.max = options.max;
    this.leaseMs = options.leaseMs;
  }

  /** Whether a permit is ours that nobody uses. */
  get hasSpare(): boolean {
    return !this.isAsking && this.granted > this.used;
  }

  /** Whether one may be used without a question: not when the store has not been heard of for as long as it keeps them. */
  mayUse(now: number): boolean {
    return this.hasSpare && now - this.askedAt < this.leaseMs;
  }

  /** Whether it is known, for now, that there is no permit for one more. */
  get isFull(): boolean {
    return this.granted >= this.max || (this.waiting.length > 0 && this.granted < this.askedFor);
  }

  /** Whether nothing is left to remember. */
  get isOver(): boolean {
    return this.used === 0 && this.granted === 0 && this.waiting.length === 0 && !this.isAsking;
  }

  /** Others wait, and messages have followed each other here for long enough. */
  givesWay(now: number): boolean {
    return this.isContested && now - this.tenureFrom >= TENURE_MS;
  }

  /** Whether the store is to be asked again, though nothing has happened here. */
  isDue(now: number): boolean {
    const since = now - this.askedAt;
    if (this.waiting.length > 0) return since >= (this.granted === 0 ? POLL_MS : TENURE_MS);
    // Nothing is wanted any more: whoever waits behind us need not.
    if (this.used === 0) return since >= POLL_MS;
    if (this.hasSpare) return since >= GIVE_BACK_MS;
    return since >= this.leaseMs / 3;
  }

  /** What the store is to be told. Who gives way asks for one, and so stands behind those who have none. */
  ask(now: number): { key: string; held: number; want: number } {
    const most = this.givesWay(now) ? 1 : this.max;
    const want = Math.max(0, Math.min(this.waiting.length, most - this.used));
    this.isPlanned = false;
    this.isAsking = true;
    this.askedAt = now;
    this.askedFor = this.used + want;
    this.saidHeld = this.used;
    return { key: this.key, held: this.used, want };
  }

  learn({ granted, contested }: PermitReply, now: number): void {
    if (this.granted === 0 || this.givesWay(now)) this.tenureFrom = now;
    this.isAsking = false;
    this.granted = granted;
    this.isContested = contested;
  }

  /** No answer: the store may have taken back what was not said to be in use. */
  unanswered(): void {
    this.isAsking = false;
    this.granted = Math.min(this.granted, this.saidHeld);
  }

  handled(tookMs: number): void {
    this.meanMs = this.meanMs === undefined ? tookMs : this.meanMs * 0.8 + tookMs * 0.2;
  }

  /**
   * When one that cannot wait here is to come again: each a little later than the one before, as fast as handlers end.
   * What is in a longer line comes again within a while, to be sent back once more. `chance` is from 0 to 1.
   */
  comeAgainMs(now: number, chance: number): number {
    const stepMs = ((this.meanMs ?? UNKNOWN_MS) / this.max) * 0.9;
    this.lastBackAt = Math.max(this.lastBackAt, now + SOONEST_MS) + stepMs;
    const delayMs = this.lastBackAt - now;
    if (delayMs <= LATEST_MS) return Math.ceil(delayMs);
    this.lastBackAt = now + LATEST_MS;
    return Math.ceil(LATEST_MS * (1 - chance / 2));
  }
}
