// Of the module, not the global one, here and wherever the library waits for a turn: a test that fakes the global timers stops
// time, and what happens without time goes on.
import { setImmediate } from 'node:timers';

/** Resolves when the turn of the event loop ends: after everything it reads and every promise that settles meanwhile. */
export function turnEnd(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
