import type { AcksReached, AcksWanted, AppendResult, MessageLog } from '../store/message-log.js';
import type { QueueRef } from '../store/refs.js';

/**
 * Of a call whose answer was lost: what it stored; that it never will; that it is not here, but was perhaps where a failed
 * server had it; or that the store cannot tell.
 */
export type Fate = AppendResult[] | 'never' | 'not-here' | 'unknown';

interface CallNumber {
  readonly epoch: number;
  readonly number: number;
}

/**
 * How a producer numbers its calls to one queue, so that the store can tell a repeat from news, and how it learns what
 * became of those that were not answered.
 */
export class AppendSession {
  /** No call will be taken before `reopen`. */
  needsReopen = false;
  private readonly options: QueueRef & { log: MessageLog; session: string };
  private epoch = 1;
  private nextNumber = 1;
  private isAcknowledged = false;

  constructor(options: QueueRef & { log: MessageLog; session: string }) {
    this.options = options;
  }

  next(): CallNumber {
    return { epoch: this.epoch, number: this.nextNumber++ };
  }

  /** The store carried a call out: from now on it knows the session. */
  acknowledged(): void {
    this.isAcknowledged = true;
  }

  /** These changed nothing: their numbers are used again. */
  reuse(calls: readonly CallNumber[]): void {
    const free = calls.filter(({ epoch }) => epoch === this.epoch).map(({ number }) => number);
    if (free.length > 0) this.nextNumber = Math.min(...free);
  }

  /**
   * Begin a new epoch, which fences every older call. @returns the fate of those that are asked for, in order, and how far
   * they are stored, if `acks` asks that.
   *
   * Safe to repeat after an error.
   */
  async reopen(
    asked: readonly CallNumber[],
    acks: AcksWanted | undefined,
  ): Promise<{ fates: Fate[]; reached: AcksReached | undefined }> {
    const { log, topic, queue, session } = this.options;
    this.epoch += 1;
    const reply = await log.reopen({
      topic,
      queue,
      session,
      epoch: this.epoch,
      asked: asked.map(({ epoch, number }) => ({ epoch, number })),
      acks,
    });
    this.needsReopen = false;
    this.nextNumber = 1;
    if (reply.state === 'open') return { fates: reply.answers, reached: reply.reached };
    // A store that forgot a session it had acknowledged lost data: what it did with a call cannot be known. One that had
    // acknowledged nothing may be another one: what the calls did at the one that failed is gone, and was perhaps delivered.
    return {
      fates: asked.map(() => (this.isAcknowledged ? 'unknown' : 'not-here')),
      reached: undefined,
    };
  }
}
