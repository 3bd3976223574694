import { ByteBudget } from '../consumer/byte-budget.js';
import type { Events } from '../runtime/events.js';
import type { Logger } from '../runtime/logger.js';
import type {
  ClaimedHalf,
  HalfMessageStore,
  HalfQueue,
  TransactionId,
} from '../store/half-message-store.js';
import type { QueueRef } from '../store/refs.js';
import type { StoreTime } from '../store/store-time.js';
import { type CheckStep } from './check-policy.js';
import { ReleaseNotes } from './release-notes.js';

/** Whoever can say what became of the transactions of one owner. */
export interface Answerer {
  readonly needsFrames: boolean;
  /** Longer than it ever takes to answer: meanwhile the halves are hidden from other checkers. */
  readonly leaseMs: number;
  /** A step for each half. Never rejects. */
  decide(
    queue: QueueRef,
    halves: readonly ClaimedHalf[],
    now: number,
  ): Promise<Map<TransactionId, CheckStep>>;
}

export interface QueueCheckTools {
  halves: HalfMessageStore;
  storeTime: StoreTime;
  events: Events;
  logger: Logger;
  noteRelease(queue: QueueRef, at: number): void;
}

const MOST_AT_ONCE = 100;
/** Of the messages that whoever decides has to see. */
const MOST_BYTES = 16 * 1024 * 1024;

/** One round through the halves of an owner in one queue: those that are due are decided. */
export class QueueCheck {
  private readonly queue: HalfQueue;
  private readonly answerer: Answerer;
  private readonly tools: QueueCheckTools;
  private readonly notes: ReleaseNotes;

  constructor(options: { queue: HalfQueue; answerer: Answerer; tools: QueueCheckTools }) {
    this.queue = options.queue;
    this.answerer = options.answerer;
    this.tools = options.tools;
    this.notes = new ReleaseNotes(options.tools);
  }

  /** @returns how many halves are left, and when the next one is due (Unix ms by the store's clock). */
  async run(signal: AbortSignal): Promise<{ waiting: number; nextCheckAt: number | null }> {
    const { halves, storeTime } = this.tools;
    const { needsFrames: frames, leaseMs } = this.answerer;
    const budget = new ByteBudget({ mostBytes: MOST_BYTES, firstRead: 4 });
    for (;;) {
      // Whoever takes the queue next begins at once.
      if (signal.aborted) return { waiting: 1, nextCheckAt: storeTime.now() };
      const limit = frames ? Math.min(MOST_AT_ONCE, budget.room) : MOST_AT_ONCE;
      const claim = await halves.claimDue(this.queue, { limit, leaseMs, frames });
      budget.learn(claim.halves.map(bytesOfFrames));
      storeTime.observe(claim.now);
      this.tellUnreadable(claim.unreadable);
      if (claim.halves.length === 0) return claim;
      const steps = await this.answerer.decide(this.queue, claim.halves, claim.now);
      await this.take(claim.halves, steps);
    }
  }

  private async take(
    claimed: readonly ClaimedHalf[],
    steps: ReadonlyMap<TransactionId, CheckStep>,
  ): Promise<void> {
    const of = (kind: CheckStep['kind']): ClaimedHalf[] =>
      claimed.filter(({ id }) => steps.get(id)?.kind === kind);
    await Promise.all([
      this.commit(of('commit')),
      this.rollback(of('rollback')),
      this.askLater(of('later'), steps),
      this.park(of('park'), steps),
    ]);
  }

  private async commit(halves: readonly ClaimedHalf[]): Promise<void> {
    if (halves.length === 0) return;
    const notedAt = this.notes.before(
      this.queue,
      halves.flatMap(({ dues }) => dues),
    );
    const replies = await this.tools.halves.commit(this.queue, idsOf(halves));
    halves.forEach((half, i) => {
      this.notes.after(this.queue, replies[i]!, notedAt);
      if (replies[i]!.state === 'committed') this.checked(half, 'commit');
    });
  }

  private async rollback(halves: readonly ClaimedHalf[]): Promise<void> {
    if (halves.length === 0) return;
    const replies = await this.tools.halves.rollback(this.queue, idsOf(halves));
    halves.forEach((half, i) => {
      if (replies[i]!.state === 'rolled-back') this.checked(half, 'rollback');
    });
  }

  private async askLater(
    halves: readonly ClaimedHalf[],
    steps: ReadonlyMap<TransactionId, CheckStep>,
  ): Promise<void> {
    if (halves.length === 0) return;
    const items = halves.map(({ id }) => ({
      id,
      ...(steps.get(id) as CheckStep & { kind: 'later' }),
    }));
    await this.tools.halves.extend(this.queue, items);
    for (const half of halves) this.checked(half, 'unknown');
  }

  private async park(
    halves: readonly ClaimedHalf[],
    steps: ReadonlyMap<TransactionId, CheckStep>,
  ): Promise<void> {
    if (halves.length === 0) return;
    const { events, logger } = this.tools;
    const { topic, queue } = this.queue;
    const items = halves.map(({ id }) => ({
      id,
      ...(steps.get(id) as CheckStep & { kind: 'park' }),
    }));
    const replies = await this.tools.halves.park(this.queue, items);
    items.forEach(({ id, reason }, i) => {
      if (replies[i]!.state !== 'parked') return;
      const { messages } = halves[i]!;
      logger.error(
        `Transaction ${id} is parked: the ${reason}. Its messages (${messages}) to topic "${topic}" queue ${queue} stay invisible until MessageAdmin commits them, rolls them back or has them checked again.`,
      );
      events.emit('half-parked', { topic, queue, transactionId: id, messages, reason });
    });
  }

  /** They come up again with every check: others go on. */
  private tellUnreadable(ids: readonly TransactionId[]): void {
    const { topic, queue } = this.queue;
    for (const id of ids)
      this.tools.logger.error(
        `What is stored of transaction ${id} in topic "${topic}" queue ${queue} cannot be read: its messages stay invisible, and others are decided. Restore the hash field, or remove it.`,
      );
  }

  private checked(
    { id, name, messages }: ClaimedHalf,
    resolution: 'commit' | 'rollback' | 'unknown',
  ): void {
    const { events, logger } = this.tools;
    const { topic, queue } = this.queue;
    logger.debug(
      `Back-check of transaction ${id} by "${name}": ${resolution}, ${messages} messages to topic "${topic}" queue ${queue}.`,
    );
    events.emit('checked', { topic, queue, transactionId: id, name, messages, resolution });
  }
}

function idsOf(halves: readonly ClaimedHalf[]): TransactionId[] {
  return halves.map(({ id }) => id);
}

function bytesOfFrames({ frames }: ClaimedHalf): number {
  return frames.reduce((sum, { length }) => sum + length, 0);
}
