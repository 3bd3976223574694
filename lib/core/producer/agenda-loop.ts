import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
import type { Agenda } from '../store/agenda.js';
import type { StoreTime } from '../store/store-time.js';

export interface AgendaLoopOptions {
  agenda: Agenda;
  clock: Clock;
  storeTime: StoreTime;
  /**
   * Do the work; answer when there is more (Unix ms by the store's clock), null for never, `ForOthers` when this process
   * cannot do it, undefined when it is not done: its lease brings it back. `version` changes with each note of it.
   */
  perform(work: string, version: string): Promise<number | ForOthers | null | undefined>;
  /** How late a hint that never arrived can make anything: so often it is asked for. Default a second. */
  pollMs?(): number;
  onError(error: unknown): void;
}

/**
 * Others may take the work from `forOthersAt` on (Unix ms by the store's clock). This process does not wake up for it, or it
 * would take it again before they come to it.
 */
export interface ForOthers {
  readonly forOthersAt: number;
}

const POLL_MS = 1_000;
/** Due work that follows closely is done together. */
const TOGETHER_MS = 5;
const LEASE_MS = 5_000;
const MOST_AT_ONCE = 64;

/** Does what falls due, for whoever noted it: one question each `pollMs` while nothing is due. */
export class AgendaLoop {
  private readonly options: AgendaLoopOptions;
  private readonly loop: Loop;
  private wakeAt = Infinity;
  private lastPassAt = -Infinity;
  /** Notes that did not reach the store, by their work. */
  private readonly owed = new Map<string, number>();

  constructor(options: AgendaLoopOptions) {
    this.options = options;
    this.loop = new Loop({
      name: 'agenda',
      clock: options.clock,
      step: () => this.pass(),
      onError: options.onError,
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  /**
   * There will be work at `at`. Call it before the work is stored. Sent without waiting: on one connection it
   * arrives first.
   *
   * Every time, also when an earlier time was noted before: others may have done that work and found that nothing
   * follows it. One that does not reach the store is repeated until it does.
   */
  note(work: string, at: number): void {
    const { agenda, onError } = this.options;
    agenda.note(work, at).catch((error: unknown) => {
      this.owed.set(work, Math.min(at, this.owed.get(work) ?? Infinity));
      onError(error);
    });
    if (at < this.wakeAt) {
      this.wakeAt = at;
      this.loop.wake();
    }
  }

  private async pass(): Promise<number> {
    const { agenda, storeTime } = this.options;
    const untilKnown = this.wakeAt - storeTime.now();
    if (untilKnown > TOGETHER_MS && untilKnown < this.pollMs && this.justWoken()) return untilKnown;
    await this.noteOwed();
    // What is noted from here on may come too late for this question: it counts beside the answer.
    this.wakeAt = Infinity;
    const { now, taken, nextAt } = await agenda.take({ limit: MOST_AT_ONCE, leaseMs: LEASE_MS });
    storeTime.observe(now);
    const times = await Promise.all(taken.map((item) => this.perform(item)));
    const next = Math.min(nextAt ?? Infinity, ...times.map((time) => time ?? Infinity));
    this.wakeAt = Math.min(this.wakeAt, next);
    this.lastPassAt = this.options.clock.monotonic();
    if (taken.length === MOST_AT_ONCE) return 0;
    return Math.min(Math.max(this.wakeAt - storeTime.now(), TOGETHER_MS), this.pollMs);
  }

  private async noteOwed(): Promise<void> {
    for (const [work, at] of this.owed) {
      await this.options.agenda.note(work, at);
      if (this.owed.get(work) === at) this.owed.delete(work);
    }
  }

  private get pollMs(): number {
    return this.options.pollMs?.() ?? POLL_MS;
  }

  /** Whether the last question is so recent that being woken means "not yet", rather than "long not asked". */
  private justWoken(): boolean {
    return this.options.clock.monotonic() - this.lastPassAt < this.pollMs;
  }

  private async perform({
    work,
    version,
  }: {
    work: string;
    version: string;
  }): Promise<number | null> {
    const { agenda, perform, onError } = this.options;
    let nextAt: number | ForOthers | null | undefined;
    try {
      nextAt = await perform(work, version);
    } catch (error) {
      // Its lease brings it back.
      onError(error);
      return null;
    }
    if (nextAt === undefined) return null;
    if (typeof nextAt === 'object' && nextAt !== null) {
      await agenda.finish(work, version, nextAt.forOthersAt);
      return null;
    }
    await agenda.finish(work, version, nextAt);
    return nextAt;
  }
}
