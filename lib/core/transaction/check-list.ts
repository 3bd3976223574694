import type { Clock } from '../runtime/clock.js';
import { Loop } from '../runtime/loop.js';
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

interface Note {
  /** When it was asked for last that was answered; until then, when it was first used. By the monotonic clock. */
  at: number;
  /** As far as is known: a store may forget what it confirmed last. */
  isListed: boolean;
  checkAfterMs: number;
  noting: Promise<void> | undefined;
}

/** Lists queues for those who check before halves are stored there. */
export class CheckList {
  private readonly halves: HalfMessageStore;
  private readonly clock: Clock;
  private readonly storeTime: StoreTime;
  private readonly onError: (error: unknown) => void;
  private readonly notes = new Map<Listed, Note>();
  private repair: Loop | undefined;

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
    const note = this.notes.get(queue) ?? this.first(queue, checkAfterMs);
    const age = note.isListed ? this.clock.monotonic() - note.at : Infinity;
    if (age < NOTED_EVERY_MS) return;
    const noting = note.noting ?? this.list(queue, note);
    if (age >= TRUSTED_MS) return noting;
    noting.catch((error: unknown) => this.onError(error));
  }

  /**
   * What was listed last may be forgotten, and halves that were stored since may not: list all of it again now, and go on until
   * it is, or `close`: there may be no next half that would ask. The first failure is told.
   */
  again(): void {
    this.close();
    this.dropOld();
    // What is asked for at this moment proves nothing.
    for (const note of this.notes.values())
      Object.assign(note, { isListed: false, noting: undefined });
    const repair = new Loop({
      name: 'list queues again',
      clock: this.clock,
      step: async () => {
        await this.listMissing();
        void repair.stop();
        return 0;
      },
      onError: (error, failures) => {
        if (failures === 1) this.onError(error);
      },
    });
    this.repair = repair.start();
  }

  /** Nothing is listed again any more. */
  close(): void {
    void this.repair?.stop();
  }

  private async listMissing(): Promise<void> {
    const missing = [...this.notes].filter(([, { isListed }]) => !isListed);
    await Promise.all(missing.map(([queue, note]) => note.noting ?? this.list(queue, note)));
  }

  private first(queue: Listed, checkAfterMs: number): Note {
    this.dropOld();
    const at = this.clock.monotonic();
    const note = { at, isListed: false, checkAfterMs, noting: undefined };
    this.notes.set(queue, note);
    return note;
  }

  /** Of queues that are listed and not in use: nobody trusts these, and what confirmed them then has long been copied. */
  private dropOld(): void {
    const now = this.clock.monotonic();
    for (const [queue, { at, isListed, noting }] of this.notes)
      if (isListed && !noting && now - at >= TRUSTED_MS) this.notes.delete(queue);
  }

  private list(queue: Listed, note: Note): Promise<void> {
    const at = this.clock.monotonic();
    const noting = this.halves
      .agenda(boardOf(queue.whose))
      .note(checkWork(queue.owner, queue), this.storeTime.now() + note.checkAfterMs)
      .then(() => {
        if (note.noting === noting) Object.assign(note, { at, isListed: true });
      })
      .finally(() => {
        if (note.noting === noting) note.noting = undefined;
      });
    note.noting = noting;
    return noting;
  }
}
