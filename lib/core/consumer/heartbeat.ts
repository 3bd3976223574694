import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import type { MemberBeat, Membership } from '../store/membership.js';
import type { StoreTime } from '../store/store-time.js';
import { lateBy } from './late-by.js';

export interface HeartbeatOptions {
  member: string;
  members: Membership;
  clock: Clock;
  storeTime: StoreTime;
  /** Default 5 000. */
  beatMs: number;
  /** A member whose beat did not move for this long, watched by our own clock, is dead. Default 15 000. */
  deadAfterMs: number;
  /** Take over what it held. Answers true when nothing of it is left for us to take. */
  takeOver(member: string): Promise<boolean>;
  /** We did not beat for so long that others may have taken us for dead. */
  onLateBeat(): void;
  onError(error: unknown): void;
}

/** How long a dead member stays listed, so that every group has the time to take over. */
const FORGET_AFTER_MS = 3_600_000;

interface Watched {
  beatAt: number;
  /** When that beat was first seen, by our monotonic clock, and later by as much as we were late since. */
  since: number;
  takenOver: boolean;
}

/**
 * Tells others that this process lives, and finds those that do not.
 *
 * Nobody is judged by comparing clocks: a member is dead when its own beat has stood still while ours moved on. A
 * clock that jumps, of the store or of a process, kills nobody.
 */
export class Heartbeat {
  private readonly options: HeartbeatOptions;
  private readonly beats: Loop;
  /** Apart from the beats: while a take-over lasts, others must not take us for dead. */
  private readonly verdicts: Loop;
  private readonly watched = new Map<string, Watched>();
  private lastBeat: number | undefined;
  /** When the latest answer about others was asked for: whatever they did since, nobody told us. */
  private heardUntil = 0;

  constructor(options: HeartbeatOptions) {
    this.options = options;
    const { clock, beatMs, onError } = options;
    const backOffMs = { from: 100, to: Math.min(1_000, beatMs) };
    this.beats = new Loop({
      name: 'heartbeat',
      clock,
      step: async () => {
        this.watch(await this.announce());
        this.verdicts.wake();
        return beatMs;
      },
      onError,
      backOffMs,
    });
    this.verdicts = new Loop({
      name: 'verdicts',
      clock,
      step: async (signal) => {
        for (const [member, watched] of this.watched)
          if (!signal.aborted) await this.judge(member, watched);
        return beatMs;
      },
      onError,
      backOffMs,
    });
  }

  /** Resolves once others can see this process. */
  async start(): Promise<void> {
    await this.announce();
    this.beats.start();
    this.verdicts.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.beats.stop(), this.verdicts.stop()]);
  }

  /** Nothing of this process is left: it need not be watched. */
  leave(): Promise<void> {
    return this.options.members.leave(this.options.member);
  }

  /** Which of these the store does not list: a consumer without a listed member has nobody behind it. */
  async unlisted(names: readonly string[]): Promise<string[]> {
    if (names.every((name) => name === this.options.member)) return [];
    // Not what the last beat answered: of very many members it shows some.
    const beats = await this.options.members.lastBeats(names);
    const listed = new Set(beats.map(({ member }) => member));
    return names.filter((name) => !listed.has(name));
  }

  private async announce(): Promise<MemberBeat[]> {
    const { members, member, clock, storeTime, beatMs, deadAfterMs, onLateBeat } = this.options;
    const askedAt = clock.monotonic();
    const reply = await members.beat(member);
    this.heardUntil = askedAt;
    const lastBeat = this.lastBeat;
    this.lastBeat = clock.monotonic();
    storeTime.observe(reply.now);
    const sinceLastMs = lastBeat === undefined ? 0 : this.lastBeat - lastBeat;
    this.forgive(lateBy(sinceLastMs, beatMs));
    if (sinceLastMs > deadAfterMs) onLateBeat();
    return reply.members;
  }

  /** We were late for so long: perhaps because nobody could beat. */
  private forgive(lateMs: number): void {
    if (lateMs === 0) return;
    for (const watched of this.watched.values()) watched.since += lateMs;
  }

  private watch(members: readonly MemberBeat[]): void {
    const now = this.options.clock.monotonic();
    const listed = new Set<string>();
    for (const { member, beatAt } of members) {
      if (member === this.options.member) continue;
      listed.add(member);
      if (this.watched.get(member)?.beatAt !== beatAt)
        this.watched.set(member, { beatAt, since: now, takenOver: false });
    }
    for (const member of this.watched.keys()) if (!listed.has(member)) this.watched.delete(member);
  }

  private async judge(member: string, watched: Watched): Promise<void> {
    const { deadAfterMs, takeOver, members } = this.options;
    // Not until now: the store may have been away, or we, and the others have beaten all the same.
    const silentMs = this.heardUntil - watched.since;
    if (silentMs < deadAfterMs) return;
    if (!watched.takenOver) watched.takenOver = await takeOver(member);
    if (silentMs > FORGET_AFTER_MS) await members.leave(member);
  }
}
