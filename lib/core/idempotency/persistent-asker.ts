import { type Clock, sleep } from '../runtime/clock.js';

const PAUSE_MS = { from: 50, to: 2_000 };

/** Asks about a dedup record again when the store did not answer: as often as is said, while its delivery has time. */
export class PersistentAsker {
  private readonly clock: Clock;
  private readonly onTrouble: (doing: string, error: unknown) => void;
  private lastTrouble: unknown;

  constructor(options: { clock: Clock; onTrouble(doing: string, error: unknown): void }) {
    this.clock = options.clock;
    this.onTrouble = (doing, error) => options.onTrouble(doing, error);
  }

  /**
   * `error`: what the question failed with before.
   *
   * @returns undefined when it was not answered within so many tries, or before `signal` aborted.
   */
  async askAgain<Reply>(
    error: unknown,
    question: { doing: string; ask(): Promise<Reply>; signal: AbortSignal; tries: number },
  ): Promise<Reply | undefined> {
    const { doing, ask, signal, tries } = question;
    let last = error;
    let pauseMs = PAUSE_MS.from;
    for (let left = tries; left > 0; left--) {
      this.trouble(doing, last);
      if (signal.aborted) return undefined;
      await sleep(this.clock, pauseMs * (0.75 + Math.random() / 2), signal);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS.to);
      try {
        return await ask();
      } catch (again) {
        last = again;
      }
    }
    return undefined;
  }

  /** What travels together fails together, and is told of once. */
  trouble(doing: string, error: unknown): void {
    if (error === this.lastTrouble) return;
    this.lastTrouble = error;
    this.onTrouble(doing, error);
  }
}
