import type { Clock } from '../runtime/clock.js';
import type { MessageLog } from '../store/message-log.js';
import type { QueueRef } from '../store/refs.js';
import type { WhenFull } from '../store/topic-registry.js';
import type { PendingSend } from './pending-send.js';
import { roomRequest } from './room-request.js';

/**
 * What becomes of sends that do not fit into their queue (`maxLength`): messages in it give way to them, or they wait,
 * or they fail, as its topic says. Their order stays, since nothing behind them was stored either.
 */
export class QueueRoom {
  private readonly options: QueueRef & { log: MessageLog; clock: Clock };
  private full: { sends: readonly PendingSend[]; room: number; whenFull: WhenFull } | undefined;
  private fits = Infinity;

  constructor(options: QueueRef & { log: MessageLog; clock: Clock }) {
    this.options = options;
  }

  /** The last answer was that a call does not fit. */
  get isFull(): boolean {
    return this.full !== undefined;
  }

  /** The store answered `full` to a call with these. */
  isShortFor(sends: readonly PendingSend[], answer: { room: number; whenFull: WhenFull }): void {
    this.full = { sends, ...answer };
  }

  /** Whatever was full, something else is known since. */
  forget(): void {
    this.full = undefined;
  }

  /** How many messages the next call should bring. */
  takeLimit(): number {
    const limit = Math.max(1, this.fits);
    this.fits = Infinity;
    return limit;
  }

  /**
   * Makes room, or fails what must not wait for it.
   *
   * @returns true when the next call can be tried at once. Otherwise room has to come from consumers.
   */
  async make(): Promise<boolean> {
    const { full } = this;
    if (!full) return false;
    const { log, clock, topic, queue } = this.options;
    const missing = full.sends.length - full.room;
    const request = roomRequest(full.whenFull, { missing, now: clock.now() });
    const { dropped } = await log.makeRoom({ topic, queue }, request);
    this.fits = full.room + dropped;
    if (dropped === 0 && full.whenFull === 'reject') this.refuse(full);
    return this.fits > 0;
  }

  private refuse({ sends, room }: { sends: readonly PendingSend[]; room: number }): void {
    // A duplicate needs no room: each that may be one is tried by itself.
    const tried = sends.length === 1 ? [] : sends.slice(room).filter(isPerhapsDuplicate);
    for (const send of sends.slice(room))
      if (!tried.includes(send)) send.refuseFull(this.options.queue);
    this.fits = tried.length > 0 ? Math.max(1, room) : room || Infinity;
  }
}

function isPerhapsDuplicate({ message }: PendingSend): boolean {
  return message.dedupId !== undefined;
}
