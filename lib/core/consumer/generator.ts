import { types } from 'node:util';

/** Nothing of a handler that is a generator has run when it returns. Other iterables are results like any other. */
export function isGenerator(value: unknown): value is AsyncGenerator | Generator {
  // Asked for each message, and most handlers return nothing.
  return typeof value === 'object' && value !== null && types.isGeneratorObject(value);
}

/**
 * Runs a handler that is a generator; nobody wants its values. What `onValue` throws ends it.
 *
 * @returns what it returns.
 */
export async function runToEnd(
  generator: AsyncGenerator | Generator,
  onValue: () => void,
): Promise<unknown> {
  for (;;) {
    const { done, value } = await generator.next();
    if (done) return value;
    try {
      await value;
      onValue();
    } catch (error) {
      await generator.return(undefined);
      throw error;
    }
  }
}
