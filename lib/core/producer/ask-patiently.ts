import { StoreRefusedError, StoreUnavailableError } from '../message/errors.js';
import { type Clock, sleep } from '../runtime/clock.js';

const PAUSE_MS = { from: 20, to: 500 };

/**
 * Does what may be repeated (looks a topic up, keeps a recurring send), again and again while the store is down or refuses: a
 * fault that passes fails nothing whose time is not up.
 *
 * @throws the last error, when another try cannot help or nobody waits for it any more (`goOn` answers false).
 */
export async function askPatiently<T>(options: {
  ask(): Promise<T>;
  goOn(error: Error): boolean;
  clock: Clock;
  /** Ends the pause between two tries. */
  signal: AbortSignal;
}): Promise<T> {
  const { ask, goOn, clock, signal } = options;
  for (let pauseMs = PAUSE_MS.from; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS.to)) {
    try {
      return await ask();
    } catch (error) {
      const isPassing =
        error instanceof StoreUnavailableError || error instanceof StoreRefusedError;
      if (!isPassing || !goOn(error)) throw error;
      await sleep(clock, pauseMs, signal);
      if (!goOn(error)) throw error;
    }
  }
}
