import type { PublishReply, ResolveReply } from '../store/half-message-store.js';
import type { AppendEntry } from '../store/message-log.js';
import type { QueueRef } from '../store/refs.js';
import type { StoreTime } from '../store/store-time.js';

/** What this process knows of the store's time may be so late. */
const LOOKED_AT_MS = 1_000;

/** Notes when delayed messages of halves are due: before they are committed, and again where that came too late. */
export class ReleaseNotes {
  private readonly storeTime: StoreTime;
  private readonly noteRelease: (queue: QueueRef, at: number) => void;

  constructor(options: { storeTime: StoreTime; noteRelease(queue: QueueRef, at: number): void }) {
    this.storeTime = options.storeTime;
    this.noteRelease = options.noteRelease;
  }

  /** @returns when the first of them is expected to be due; Infinity when none is delayed. */
  before(queue: QueueRef, dues: readonly AppendEntry['due'][]): number {
    let earliest = Infinity;
    for (const due of dues) {
      if (!due) continue;
      const at = 'at' in due ? due.at : this.storeTime.now() + due.delayMs;
      earliest = Math.min(earliest, at);
      this.noteRelease(queue, at);
    }
    return earliest;
  }

  /**
   * A call may arrive so late that somebody looked at its queue as noted, and found nothing there yet.
   *
   * @param notedAt as `before` answered it.
   */
  after(queue: QueueRef, reply: ResolveReply | PublishReply, notedAt: number): void {
    if (notedAt > this.storeTime.now() + LOOKED_AT_MS || reply.state !== 'committed') return;
    for (const result of reply.results)
      if (result.state === 'scheduled') this.noteRelease(queue, result.dueAt);
  }
}
