import type { Clock } from '../runtime/clock.js';
import type { HalfMessageStore } from '../store/half-message-store.js';
import type { QueueRef } from '../store/refs.js';
import type { StoreTime } from '../store/store-time.js';
import { boardOf, checkWork, type HalfOwner, ownerKey } from './half-owner.js';

/** A queue that is used is noted again so often, while nobody waits for it. */
const NOTED_EVERY_MS = 30_000;
/** No half is stored in a queue whose last note is older; a checker does not strike it off the list before. */
const TRUSTED_MS = 90_000;

/** Lists queues for those who check before halves are stored there. */
export class CheckList {
  private readonly halves: HalfMessageStore;
  private readonly clock: Clock;
  private readonly storeTime: StoreTime;
  private readonly onError: (error: unknown) => void;
  /** By board and work; monotonic. */
  private readonly noted = new Map<string, { at: number; noting: Promise<void> | undefined }>();

  constructor(options: {
    halves: HalfMessageStore;
    clock: Clock;
    storeTime: StoreTime;
    onError(error: unknown): void;
  }) {
    this.halves = options.halves;
    this.clock = options.clock;
    this.storeTime = options.storeTime;
    this.onError = options.onError;
  }

  /**
   * Resolves once the queue is listed. Nothing is asked of the store where that was done a moment ago. `key`: the same
   * for the same owner and queue.
   */
  beOn(
    key: string,
    { owner, queue, checkAfterMs }: { owner: HalfOwner; queue: QueueRef; checkAfterMs: number },
  ): Promise<void> | void {
    let known = this.noted.get(key);
    if (!known) this.noted.set(key, (known = { at: -Infinity, noting: undefined }));
    const age = this.clock.monotonic() - known.at;
    if (age < NOTED_EVERY_MS) return;
    const entry = known;
    entry.noting ??= this.note(owner, queue, checkAfterMs)
      .then((at) => void (entry.at = at))
      .finally(() => (entry.noting = undefined));
    if (age >= TRUSTED_MS) return entry.noting;
    entry.noting.catch((error: unknown) => this.onError(error));
  }

  /** @returns when it was asked for. */
  private async note(owner: HalfOwner, queue: QueueRef, checkAfterMs: number): Promise<number> {
    const at = this.clock.monotonic();
    await this.halves
      .agenda(boardOf(owner))
      .note(checkWork(ownerKey(owner), queue), this.storeTime.now() + checkAfterMs);
    return at;
  }
}
