/** The hooks by which instrumentation follows the processing of a packet; Nest calls them on every `Server`. */
export interface ProcessingHooks {
  start: ((done: () => Promise<unknown>) => unknown) | undefined;
  end: (() => unknown) | undefined;
  onError(error: unknown): void;
}

/**
 * Runs the work between the two hooks, each called once, also when the work fails.
 *
 * The answer is that of the work, whatever the start hook returns: one that does not return what `done` promised would
 * otherwise let a message be settled while its handler still runs. A hook that throws before `done` fails the work.
 */
export function withinHooks<T>(hooks: ProcessingHooks, work: () => Promise<T>): Promise<T> {
  const { start, end, onError } = hooks;
  if (!start && !end) return work();
  return new Promise<T>((resolve, reject) => {
    const done = async (): Promise<void> => {
      try {
        resolve(await work());
      } catch (error) {
        reject(error as Error);
      } finally {
        endQuietly();
      }
    };
    const endQuietly = (): void => {
      try {
        end?.();
      } catch (error) {
        onError(error);
      }
    };
    if (!start) return void done();
    // A promise settles once: what a hook throws after the work has ended changes nothing.
    Promise.resolve()
      .then(() => start(done))
      .catch(reject);
  });
}
