import { setMaxListeners } from 'node:events';
import type { Clock } from './clock.js';

/** The time a shutdown has, shared by all its steps. */
export class Drain {
  readonly drainMs: number;
  private readonly aborter = new AbortController();
  private readonly cancel: () => void;

  constructor(options: { clock: Clock; drainMs: number }) {
    this.drainMs = options.drainMs;
    // Every consumer waits for it: Node would take more than ten for a leak.
    setMaxListeners(0, this.aborter.signal);
    this.cancel = options.clock.after(options.drainMs, () => this.aborter.abort());
  }

  /** Aborts when the time is up. */
  get timeUp(): AbortSignal {
    return this.aborter.signal;
  }

  /** Waits for the work, but not longer than there is time. */
  within(work: Promise<unknown>): Promise<void> {
    return orAborted(work, this.timeUp);
  }

  /** Every step is done. */
  end(): void {
    this.cancel();
  }
}

/** Resolves when the work is done or the signal aborts, whichever is first. Rejects as the work does before that. */
export async function orAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  let stopListening: (() => void) | undefined;
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) return resolve();
    const onAbort = (): void => resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    stopListening = () => signal.removeEventListener('abort', onAbort);
  });
  // Whoever stops waiting must not leave a rejection behind that nobody handles.
  work.catch(() => undefined);
  await Promise.race([work, aborted]);
  stopListening?.();
}
