/** Resolves when the turn of the event loop ends: after everything it reads and every promise that settles meanwhile. */
export function turnEnd(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
