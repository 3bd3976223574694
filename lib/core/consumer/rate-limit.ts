import { describeValue, integerProblem, unknownOptions } from '../message/options.js';
import type { RateLimit } from '../store/rate-limit-store.js';

const LONGEST_MS = 86_400_000;

/** Problems with the option of a subscription. */
export function rateLimitProblems(
  rateLimit: RateLimit | undefined,
  mode: string,
): (string | undefined)[] {
  if (rateLimit === undefined) return [];
  if (typeof rateLimit !== 'object' || rateLimit === null)
    return [`rateLimit must be { max, perMs }, got: ${describeValue(rateLimit)}`];
  return [
    ...unknownOptions(rateLimit, ['max', 'perMs']).map((problem) => `rateLimit: ${problem}`),
    integerProblem('rateLimit.max', rateLimit.max, { min: 1, max: 1_000_000 }),
    integerProblem('rateLimit.perMs', rateLimit.perMs, { min: 1, max: LONGEST_MS }),
    mode === 'broadcasting'
      ? 'rateLimit has no place with mode "broadcasting": every process gets every message there; limit its concurrency'
      : undefined,
  ];
}
