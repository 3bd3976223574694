import { describeValue, integerProblem, unknownOptions } from './options.js';

/**
 * How far a message must be stored before its send is confirmed.
 *
 * `memory`: by the server that took it. `disk`: also on the disk of that server (fsync). `replicas`: also in the memory
 * of so many replicas, waited for at most `timeoutMs` (default: as long as the send may take).
 */
export type Acks = 'memory' | 'disk' | { replicas: number; timeoutMs?: number | undefined };

/** How far a message is known to be stored. */
export type AcksLevel = 'memory' | 'disk' | { readonly replicas: number };

const MOST_REPLICAS = 100;
const LONGEST_WAIT_MS = 3_600_000;

/** One sentence for each thing that is wrong with it. */
export function acksProblems(acks: unknown): (string | undefined)[] {
  if (acks === 'memory' || acks === 'disk') return [];
  if (typeof acks !== 'object' || acks === null || Array.isArray(acks))
    return [
      `acks must be "memory", "disk" or { replicas, timeoutMs }, got: ${describeValue(acks)}`,
    ];
  const { replicas, timeoutMs } = acks as Readonly<Record<string, unknown>>;
  return [
    ...unknownOptions(acks, ['replicas', 'timeoutMs']).map((problem) => `acks: ${problem}`),
    integerProblem('acks.replicas', replicas, { min: 1, max: MOST_REPLICAS }),
    timeoutMs === undefined
      ? undefined
      : integerProblem('acks.timeoutMs', timeoutMs, { min: 1, max: LONGEST_WAIT_MS }),
  ];
}
