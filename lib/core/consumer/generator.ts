import { types } from 'node:util';

/** Of a handler that is one nothing has run yet. Other iterables are results like any other. */
export function isGenerator(value: unknown): value is AsyncGenerator | Generator {
  // Runs for each message, of which most come to nothing.
  return typeof value === 'object' && value !== null && types.isGeneratorObject(value);
}

/** Runs a handler that is a generator; nobody wants its values. `onValue` may throw, which ends it. */
export async function runToEnd(
  generator: AsyncIterable<unknown> | Iterable<unknown>,
  onValue: () => void = () => {},
): Promise<void> {
  for await (const _ of generator) onValue();
}
