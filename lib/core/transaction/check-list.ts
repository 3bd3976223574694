import type { Clock } from '../runtime/clock.js';
import type { HalfMessageStore } from '../store/half-message-store.js';
import type { QueueRef } from '../store/refs.js';
import type { StoreTime } from '../store/store-time.js';
import { boardOf, checkWork, type HalfOwner } from './half-owner.js';

/** A queue that is used is noted again so often, while nobody waits for it. */
const NOTED_EVERY_MS = 30_000;
/** No half is stored in a queue whose last note is older; a checker does not strike it off the list before. */
const TRUSTED_MS = 90_000;

/** A queue in which somebody has halves. */
export interface Listed extends QueueRef {
  readonly whose: HalfOwner;
  /** The same as text. */
  readonly owner: string;
}

/** Lists queues for those who check before halves are stored there. */
export class CheckList {
  private readonly halves: HalfMessageStore;
  private readonly clock: Clock;
  private readonly storeTime: StoreTime;
  private readonly onError: (error: unknown) => void;
  /** Monotonic. */
  private readonly noted = new WeakMap<Listed, { at: number; noting: Promise<void> | undefined }>();

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
   * Resolves once the queue is listed. Nothing is asked of the store where that was done for the same object a moment ago.
   */
  beOn(queue: Listed, checkAfterMs: number): Promise<void> | void {
    let known = this.noted.get(queue);
    if (!known) this.noted.set(queue, (known = { at: -Infinity, noting: undefined }));
    const age = this.clock.monotonic() - known.at;
    if (age < NOTED_EVERY_MS) return;
    const entry = known;
    entry.noting ??= this.note(queue, checkAfterMs)
      .then((at) => void (entry.at = at))
      .finally(() => (entry.noting = undefined));
    if (age >= TRUSTED_MS) return entry.noting;
    entry.noting.catch((error: unknown) => this.onError(error));
  }

  /** @returns when it was asked for. */
  private async note(queue: Listed, checkAfterMs: number): Promise<number> {
    const at = this.clock.monotonic();
    await this.halves
      .agenda(boardOf(queue.whose))
      .note(checkWork(queue.owner, queue), this.storeTime.now() + checkAfterMs);
    return at;
  }
}
