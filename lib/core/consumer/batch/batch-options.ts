import { describeValue, integerProblem, unknownOptions } from '../../message/options.js';

export interface BatchOptions {
  /** Most messages of a batch. Default 100. */
  size?: number | undefined;
  /** How long the first message of a batch waits for others, in milliseconds, at most 60 000. Default 50. */
  withinMs?: number | undefined;
}

const DEFAULTS = { size: 100, withinMs: 50 };
/** More would be in hand of one process than a subscription may have. */
const MOST_IN_HAND = 10_000;

/** With every default filled in. */
export function batchSettings(given: BatchOptions = {}): Required<BatchOptions> {
  return { size: given.size ?? DEFAULTS.size, withinMs: given.withinMs ?? DEFAULTS.withinMs };
}

/** @param concurrency batches at the same time. */
export function batchProblems(given: unknown, concurrency: unknown): string[] {
  if (given !== undefined && (typeof given !== 'object' || given === null))
    return [`batch must be { size, withinMs }, got: ${describeValue(given)}`];
  const { size, withinMs } = batchSettings(given as BatchOptions);
  const sized = integerProblem('batch.size', size, { min: 1, max: MOST_IN_HAND });
  const batches = integerProblem('concurrency', concurrency, { min: 1, max: MOST_IN_HAND });
  return [
    ...unknownOptions(given ?? {}, ['size', 'withinMs'] satisfies (keyof BatchOptions)[]).map(
      (problem) => `batch: ${problem}`,
    ),
    sized,
    integerProblem('batch.withinMs', withinMs, { min: 0, max: 60_000 }),
    batches,
    !sized && !batches && size * (concurrency as number) > MOST_IN_HAND
      ? `batch.size times concurrency must be at most ${MOST_IN_HAND}, got: ${size} times ${concurrency as number}`
      : undefined,
  ].filter((problem) => problem !== undefined);
}
